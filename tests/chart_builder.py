"""Charts as the control plane returns them: plausible walks, steady whatever part is asked for."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from appliance.domain.chart import Chart, ChartInfo, Marker, Series, SeriesForm, Share
from appliance.domain.event import Event
from tests.builders import NOW, ago

_FIRST = ago(days=20)
_MINUTE = 60


def infos() -> list[ChartInfo]:
    """Return five charts of three groups."""
    return [
        ChartInfo("outcomes", "Outcomes", "forecasts", "the interval and what came"),
        ChartInfo("loss", "Loss", "model", "mean of 60 outcomes, expected, limit"),
        ChartInfo("skill", "Skill", "model", "how much less is lost than by a benchmark"),
        ChartInfo("drift", "Drift", "model", "how far each feature has moved"),
        ChartInfo("memory", "Memory", "machine", "of each service"),
    ]


def chart(
    key: str,
    points: int,
    start_at: datetime | None = None,
    end_at: datetime | None = None,
    events: tuple[Event, ...] = (),
) -> Chart:
    """Return a chart of the span that is asked for, two hours without one."""
    last = NOW.replace(second=0)
    end_at = end_at or last
    start_at = start_at or end_at - timedelta(hours=2)
    wanted = (end_at - start_at).total_seconds() / points
    step = max(math.ceil(wanted / _MINUTE), 1) * _MINUTE
    at = _instants(max(start_at, _FIRST), min(end_at, last), step)
    marks = tuple(Marker(event.at, event) for event in events if start_at <= event.at <= end_at)
    share = Share("inside", "outcomes", 0.8) if key == "outcomes" else None
    series = _outcomes(at) if key == "outcomes" else _lines(key, at)
    return Chart(key, start_at, end_at, step, series, marks, _FIRST, last, share)


def _instants(start_at: datetime, end_at: datetime, step: int) -> tuple[datetime, ...]:
    first, last = math.ceil(start_at.timestamp() / step), math.floor(end_at.timestamp() / step)
    return tuple(datetime.fromtimestamp(n * step, UTC) for n in range(first, last + 1))


def _wave(at: datetime, period: float, phase: float = 0.0) -> float:
    return math.sin(at.timestamp() / 60 / period + phase)


def _outcomes(at: tuple[datetime, ...]) -> tuple[Series, ...]:
    width = [0.0022 + 0.0009 * _wave(t, 23) for t in at]
    came = [0.0021 * _wave(t, 3) + 0.0013 * _wave(t, 1.7, 1) for t in at]
    is_inside = [abs(value) <= bound for value, bound in zip(came, width, strict=True)]
    usual = tuple(v if ok else None for v, ok in zip(came, is_inside, strict=True))
    above = tuple(v if not ok and v > 0 else None for v, ok in zip(came, is_inside, strict=True))
    below = tuple(v if not ok and v < 0 else None for v, ok in zip(came, is_inside, strict=True))
    counts = ("outcomes", tuple(1.0 for _ in at)), ("inside", tuple(float(ok) for ok in is_inside))
    band = Series("interval", "share", at, tuple(-w for w in width), SeriesForm.BAND, tuple(width))
    return (
        band,
        Series("outcome inside", "share", at, usual, SeriesForm.POINTS),
        Series("outcome above", "share", at, above, SeriesForm.OUTLIERS),
        Series("outcome below", "share", at, below, SeriesForm.OUTLIERS),
        *(Series(name, "", at, values, SeriesForm.COUNT) for name, values in counts),
    )


_UNITS = {"skill": "share", "memory": "bytes"}
_SIZES = {"skill": 0.04, "memory": 3e8, "loss": 0.0004}


def _lines(key: str, at: tuple[datetime, ...]) -> tuple[Series, ...]:
    unit, size = _UNITS.get(key, ""), _SIZES.get(key, 1.0)
    limit = Series("limit", unit, at, tuple(size * 1.25 for _ in at), SeriesForm.LIMIT)
    lines = (
        Series(
            name,
            unit,
            at,
            tuple(size * (1 + 0.2 * _wave(t, 17 + 4 * n, n) + 0.06 * _wave(t, 2.3, n)) for t in at),
            is_shown=n < 2,
        )
        for n, name in enumerate(("in production", "v12", "v11"))
    )
    return (*lines, limit)
