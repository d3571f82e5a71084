"""From rows of the store to the series of charts; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from appliance.domain.chart import Series, SeriesForm
from appliance.domain.drift import DriftReport, LossReport
from store.forecast_buckets import IntervalStep, LossStep

OUTCOMES, INSIDE = "outcomes", "inside"
SMOOTHED = 60
"""Candles over which losses are averaged."""
_SERVED = "in production"
_SHOWN_FEATURES = 3

Times = tuple[datetime, ...]
Values = tuple[float | None, ...]


def intervals(steps: Sequence[IntervalStep], unit: str) -> tuple[Series, ...]:
    """Return the band of the interval with the outcomes inside and outside of it."""
    at = tuple(step.at for step in steps)

    def values(name: str) -> Values:
        return tuple(getattr(step, name) for step in steps)

    def counts(name: str) -> Series:
        known = tuple(float(getattr(step, name)) for step in steps)
        return Series(name, "", at, known, SeriesForm.COUNT)

    band = Series("interval", unit, at, values("lower"), SeriesForm.BAND, values("upper"))
    return (
        band,
        Series("outcome inside", unit, at, values("usual"), SeriesForm.POINTS),
        Series("outcome above", unit, at, values("above"), SeriesForm.OUTLIERS),
        Series("outcome below", unit, at, values("below"), SeriesForm.OUTLIERS),
        *map(counts, ("forecasts", OUTCOMES, INSIDE)),
    )


def losses(steps: Sequence[LossStep], width: timedelta) -> tuple[Series, ...]:
    """Return the mean loss of production and of each version."""
    return _by_version(steps, width, "live", "", lambda total: total.loss / total.outcomes)


def skills(steps: Sequence[LossStep], width: timedelta) -> tuple[Series, ...]:
    """Return the skill against each benchmark of production and of each version."""
    ewma = _by_version(steps, width, "against EWMA", "share", lambda t: _skill(t.loss, t.ewma_loss))
    static = _by_version(
        steps, width, "against static", "share", lambda t: _skill(t.loss, t.static_loss)
    )
    even = Series("as the benchmark", "share", *_flat(ewma, 0.0), SeriesForm.LIMIT)
    hidden = (replace(each, is_shown=False) for each in static)
    return by_default(*ewma[:1], even, *ewma[1:], *hidden)


def coverages(steps: Sequence[LossStep], width: timedelta, target: float) -> tuple[Series, ...]:
    """Return the share of outcomes inside, of production and of each version, with its target."""
    found = _by_version(steps, width, INSIDE, "share", lambda t: t.inside / t.outcomes)
    aim = Series("target", "share", *_flat(found, target), SeriesForm.LIMIT)
    served = [step for step in steps if step.served]
    at = tuple(step.at for step in served)
    counts = tuple(
        Series(name, "", at, tuple(float(getattr(step, name)) for step in served), SeriesForm.COUNT)
        for name in (OUTCOMES, INSIDE)
    )
    return by_default(*found[:1], aim, *found[1:], *counts)


def expected(reports: Sequence[DriftReport]) -> tuple[Series, ...]:
    """Return the loss that forecasts without an outcome let one expect, with its limit."""
    return (
        _of_reports(reports, "expected", "", lambda loss: loss.expected),
        _of_reports(
            reports, "limit of expected", "", lambda loss: loss.expected_high, SeriesForm.LIMIT
        ),
    )


def relative(reports: Sequence[DriftReport]) -> tuple[Series, ...]:
    """Return the loss over the interval's usual width and the detector, each with its limit."""
    detector = (
        _of_reports(reports, "detector", "", lambda loss: loss.page_hinkley),
        _of_reports(
            reports, "limit of detector", "", lambda loss: loss.page_hinkley_limit, SeriesForm.LIMIT
        ),
    )
    return (
        _of_reports(reports, "relative loss", "", lambda loss: loss.relative),
        _of_reports(reports, "limit", "", lambda loss: loss.relative_high, SeriesForm.LIMIT),
        *(replace(each, is_shown=False) for each in detector),
    )


def drifts(reports: Sequence[DriftReport]) -> tuple[Series, ...]:
    """Return how far each feature has moved, the newest report's worst ones first and shown."""
    at = tuple(report.window_end_at for report in reports)
    known = [{score.feature: score.wasserstein for score in r.scores} for r in reports]
    ranked = [score.feature for score in reports[-1].ranked] if reports else []
    return tuple(
        Series(
            name,
            "deviations",
            at,
            tuple(scores.get(name) for scores in known),
            is_shown=rank < _SHOWN_FEATURES,
        )
        for rank, name in enumerate(ranked)
    )


def by_default(*series: Series) -> tuple[Series, ...]:
    """Return the series that hold something."""
    return tuple(each for each in series if any(value is not None for value in each.values))


def _of_reports(
    reports: Iterable[DriftReport],
    name: str,
    unit: str,
    value: Callable[[LossReport], float | None],
    form: SeriesForm = SeriesForm.LINE,
) -> Series:
    known = [(report.window_end_at, report.loss) for report in reports if report.loss]
    at, found = tuple(at for at, _ in known), tuple(value(loss) for _, loss in known)
    return Series(name, unit, at, found, form)


def _by_version(
    steps: Sequence[LossStep],
    width: timedelta,
    name: str,
    unit: str,
    value: Callable[[LossStep], float | None],
) -> tuple[Series, ...]:
    """Return one series of what served and one, not shown at first, of each version, newest first."""
    groups: dict[int, list[LossStep]] = defaultdict(list)
    for step in steps:
        groups[step.version].append(step)
    served = _rolled([step for step in steps if step.served], width)
    total = Series(f"{_SERVED}, {name}", unit, *_values(served, value))
    return (
        total,
        *(
            Series(
                f"v{version}, {name}",
                unit,
                *_values(_rolled(groups[version], width), value),
                is_shown=False,
            )
            for version in sorted(groups, reverse=True)
        ),
    )


def _rolled(steps: Sequence[LossStep], width: timedelta) -> list[LossStep]:
    """Return for each step the sums over it and those of `width` before it."""
    totals, first = [], 0
    for last, step in enumerate(steps):
        while steps[first].at <= step.at - width:
            first += 1
        window = steps[first : last + 1]
        totals.append(
            replace(
                step,
                outcomes=sum(each.outcomes for each in window),
                inside=sum(each.inside for each in window),
                loss=sum(each.loss for each in window),
                static_loss=sum(each.static_loss for each in window),
                ewma_loss=sum(each.ewma_loss for each in window),
            )
        )
    return totals


def _values(
    steps: Sequence[LossStep], value: Callable[[LossStep], float | None]
) -> tuple[Times, Values]:
    return tuple(step.at for step in steps), tuple(value(step) for step in steps)


def _skill(loss: float, benchmark: float) -> float | None:
    return 1.0 - loss / benchmark if benchmark > 0.0 else None


def _flat(series: Sequence[Series], value: float) -> tuple[Times, Values]:
    """Return a constant over the time of the first series."""
    at = series[0].at if series else ()
    return at, (value,) * len(at)
