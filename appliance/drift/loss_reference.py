"""What a model's loss was when it was trained, out of sample, and how a live window compares; pure.

Losses are compared relative to the width of the EWMA benchmark's interval, which is known before: a
turbulent market then raises both, and only a model that has become worse stands out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from appliance.domain.drift import DriftVerdict, LossReport
from appliance.drift.page_hinkley import PageHinkley

Vector = NDArray[np.float64]

MARGIN = 1.25
"""A live window must exceed what windows of the reference did by this factor."""

ALARM = 1.5
"""Page-Hinkley must exceed what it reached on the reference itself by this factor."""

NO_WIDTH = 1e-5
"""An interval narrower than a tenth of a basis point has no width: a loss over it says nothing."""

LEAST_PART = 0.5
"""Part of the rows that must have a width; with fewer, the loss cannot be judged."""

TOLERANCE = 0.2
"""Growth of the mean, in standard deviations, that Page-Hinkley lets pass."""

CLOSE = 0.25
"""An estimate within this fraction of the realised loss counts as a hit."""

_WINDOWS = 64


@dataclass(frozen=True, slots=True)
class LossReference:
    """Out-of-sample losses at training, over `count` rows.

    `relative_*` describe the loss over the EWMA interval's width; `relative_high` and `loss_high` are the
    largest means of windows of `window_rows`; `page_hinkley` the largest test quantity of the
    reference itself. `per_width` turns a mean interval width into an expected loss. What could not be
    judged, as the intervals had no width, is NaN; None in JSON.
    """

    count: int
    window_rows: int
    loss_mean: float
    loss_high: float
    relative_mean: float
    relative_std: float
    relative_high: float
    page_hinkley: float
    per_width: float

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-compatible form."""
        return {name: _finite(value) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> LossReference:
        """Read what `to_json` returned."""
        values: dict[str, Any] = {
            name: math.nan if stored[name] is None else stored[name]
            for name in cls.__dataclass_fields__
        }
        return cls(**values)

    @property
    def is_judged(self) -> bool:
        """Whether it can tell a good loss from a bad one."""
        known = (self.relative_mean, self.relative_std, self.relative_high, self.page_hinkley)
        return all(math.isfinite(value) for value in known)

    @property
    def detector(self) -> PageHinkley:
        """Page-Hinkley over relative losses, its threshold above all that the reference did."""
        tolerance = TOLERANCE * self.relative_std
        return PageHinkley(self.relative_mean, tolerance, ALARM * self.page_hinkley)


@dataclass(frozen=True, slots=True)
class LiveLosses:
    """A live window, rows in time order: losses, EWMA interval widths, own interval widths.

    `coming_widths` are those of forecasts that have not matured yet; `tracked` pairs of expected
    and realised loss of earlier windows, shape (windows, 2).
    """

    losses: Vector
    ewma_widths: Vector
    coming_widths: Vector
    tracked: NDArray[np.float64]


def build_reference(
    losses: Vector, ewma_widths: Vector, widths: Vector, window_rows: int
) -> LossReference:
    """Describe out-of-sample losses, rows in time order, all of shape (rows,).

    Rows whose EWMA interval has no width do not count for the relative losses.
    """
    relative = _relative(losses, ewma_widths)
    mean, std, high, quiet = (math.nan,) * 4
    if _is_enough(relative.size, losses.size):
        mean, std = float(relative.mean()), float(relative.std())
        high = _highest_mean(relative, window_rows)
        quiet = float(PageHinkley(mean, TOLERANCE * std, 0.0).scores(relative).max())
    return LossReference(
        count=int(losses.size),
        window_rows=window_rows,
        loss_mean=float(losses.mean()),
        loss_high=_highest_mean(losses, window_rows),
        relative_mean=mean,
        relative_std=std,
        relative_high=high,
        page_hinkley=quiet,
        per_width=float(losses.mean() / widths.mean()) if widths.mean() > NO_WIDTH else math.nan,
    )


def judge_loss(reference: LossReference, live: LiveLosses, min_rows: int) -> LossReport:
    """Compare a live window with the reference.

    Drifted: the mean relative loss is above its band, or Page-Hinkley is alarmed, over at least
    `min_rows` rows. Warning: the forecasts themselves let one expect a loss above the training-time
    band. Insufficient: fewer rows, and nothing to expect; or the intervals had no width, at training or
    now, and `why` says so.
    """
    rows = int(live.losses.size)
    relative = _relative(live.losses, live.ewma_widths)
    why = _why_not(reference, relative.size, rows)
    is_known = bool(relative.size) and not why
    score = float(reference.detector.scores(relative)[-1]) if is_known else None
    mean = float(relative.mean()) if is_known else None
    expected = None
    if live.coming_widths.size and math.isfinite(reference.per_width):
        expected = reference.per_width * float(live.coming_widths.mean())
    return LossReport(
        verdict=_verdict(reference, mean, score, expected, is_enough=rows >= min_rows and not why),
        rows=rows,
        realised=float(live.losses.mean()) if rows else None,
        relative=mean,
        relative_high=_finite(MARGIN * reference.relative_high),
        page_hinkley=score,
        page_hinkley_limit=_finite(reference.detector.threshold),
        expected=expected,
        expected_high=MARGIN * reference.loss_high,
        why=why,
        relative_expected=_finite(reference.relative_mean),
        **_track(live.tracked),
    )


def _relative(losses: Vector, ewma_widths: Vector) -> Vector:
    """Return the losses over the widths, of the rows that have one."""
    has_width = ewma_widths > NO_WIDTH
    return np.asarray(losses[has_width] / ewma_widths[has_width], dtype=np.float64)


def _is_enough(with_width: int, rows: int) -> bool:
    return with_width > 0 and with_width >= LEAST_PART * rows


def _why_not(reference: LossReference, with_width: int, rows: int) -> str:
    """Return why the loss cannot be judged, "" when it can or there is none yet."""
    if not reference.is_judged:
        return "the benchmark's interval had no width at training: the price mostly stood still"
    if rows and not _is_enough(with_width, rows):
        return (
            f"the benchmark's interval had no width in {rows - with_width:,} of {rows:,} rows:"
            " the price mostly stood still"
        )
    return ""


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _highest_mean(values: Vector, window_rows: int) -> float:
    length = max(1, min(window_rows, values.size // 2))
    starts = np.unique(np.linspace(0, values.size - length, _WINDOWS).astype(np.int64))
    return max(float(values[start : start + length].mean()) for start in starts)


def _verdict(
    reference: LossReference,
    relative: float | None,
    score: float | None,
    expected: float | None,
    *,
    is_enough: bool,
) -> DriftVerdict:
    is_above = relative is not None and relative > MARGIN * reference.relative_high
    is_alarmed = score is not None and score > reference.detector.threshold
    if is_enough and (is_above or is_alarmed):
        return DriftVerdict.DRIFTED
    if expected is not None and expected > MARGIN * reference.loss_high:
        return DriftVerdict.WARNING
    return DriftVerdict.STABLE if is_enough else DriftVerdict.INSUFFICIENT


def _track(tracked: NDArray[np.float64]) -> dict[str, Any]:
    if not len(tracked):
        return {"tracked": 0}
    expected, realised = tracked[:, 0], tracked[:, 1]
    hits = np.abs(expected - realised) <= CLOSE * realised
    return {
        "tracked": len(tracked),
        "track_bias": float(expected.mean() / realised.mean() - 1.0) if realised.mean() else None,
        "track_hits": float(hits.mean()),
    }
