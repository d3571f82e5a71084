"""Drift scores and verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class DriftVerdict(StrEnum):
    """Outcome of one drift comparison."""

    STABLE = "stable"
    WARNING = "warning"
    DRIFTED = "drifted"
    INSUFFICIENT = "insufficient"


@dataclass(frozen=True, slots=True)
class Histogram:
    """A feature's two distributions over the same bins of equal width.

    `edges` are one more than the bins; `reference` and `current` are fractions of all rows, what lies beyond
    either end counted in the outermost bin.
    """

    edges: tuple[float, ...]
    reference: tuple[float, ...]
    current: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class RegimeLoss:
    """The live loss over the EWMA interval's width where the market was `calm`, `normal` or `turbulent`."""

    regime: str
    rows: int
    relative: float


@dataclass(frozen=True, slots=True)
class DriftScore:
    """One feature's current window against the reference profile.

    `psi` is the population stability index; `ks` the Kolmogorov-Smirnov statistic in [0, 1];
    `wasserstein` the distance in reference standard deviations; `p_value` how likely a stable market
    lies that far away; `outside` the fraction of rows where hardly any of the reference's are. None
    where the sample was insufficient, or (`wasserstein`) the reference has no deviation to measure in.
    `missing_rate` is the fraction of the window's candles without a value; `effect` the part of the loss
    that hangs on the feature times how far it has moved, for ranking. `histogram` is None in reports of
    before it was kept.
    """

    feature: str
    verdict: DriftVerdict
    rows: int
    psi: float | None = None
    ks: float | None = None
    p_value: float | None = None
    wasserstein: float | None = None
    missing_rate: float | None = None
    effect: float | None = None
    outside: float | None = None
    histogram: Histogram | None = None


@dataclass(frozen=True, slots=True)
class LossReport:
    """The live loss beside what it was at training.

    `realised` is the mean pinball loss over `rows` matured forecasts; `relative` that loss over the EWMA
    interval's width, above `relative_high` when worse than any window at training; `page_hinkley` the
    online detector, alarmed above its limit. `expected` is the mean loss that forecasts which have
    not matured let one expect, an early warning above `expected_high`; of `tracked` earlier
    estimates the fraction `track_hits` came within 25 %, `track_bias` is how much too high they were.
    `why` says why the loss cannot be judged, "" where it can be. `regimes` split `relative` by terciles of
    the EWMA width; `relative_expected` is what it was at training.
    """

    verdict: DriftVerdict
    rows: int
    realised: float | None = None
    relative: float | None = None
    relative_high: float | None = None
    page_hinkley: float | None = None
    page_hinkley_limit: float | None = None
    expected: float | None = None
    expected_high: float | None = None
    tracked: int = 0
    track_bias: float | None = None
    track_hits: float | None = None
    why: str = ""
    regimes: tuple[RegimeLoss, ...] = ()
    relative_expected: float | None = None


@dataclass(frozen=True, slots=True)
class DriftReport:
    """All scores of one monitoring run against one model version's reference profile."""

    project: str
    model_version: int
    verdict: DriftVerdict
    window_start_at: datetime
    window_end_at: datetime
    computed_at: datetime
    scores: tuple[DriftScore, ...] = ()
    loss: LossReport | None = None

    @property
    def ranked(self) -> list[DriftScore]:
        """The scores, worst verdict first, then by falling effect on the loss, then by distance."""
        return sorted(
            self.scores,
            key=lambda s: (_RANKS[s.verdict], -(s.effect or 0.0), -(s.wasserstein or 0.0)),
        )


_RANKS = {
    DriftVerdict.DRIFTED: 0,
    DriftVerdict.WARNING: 1,
    DriftVerdict.STABLE: 2,
    DriftVerdict.INSUFFICIENT: 3,
}
