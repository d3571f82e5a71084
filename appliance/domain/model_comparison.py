"""Two versions of a model beside each other, and what the evidence on the same rows says in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from appliance.domain.model_version import ModelVersion
from appliance.domain.trial import Trial

BETTER, WORSE = "better", "worse"
"""Verdicts of the gate that are settled."""
COVERAGE_TARGET = 0.8
"""The interval runs from the 0.1 to the 0.9 quantile."""


@dataclass(frozen=True, slots=True)
class RegimeLosses:
    """How the second version does on the rows of one regime: by which fraction its loss is lower.

    `is_harmed` says whether it is significantly worse there among all regimes.
    """

    regime: str
    rows: int
    improvement: float
    is_harmed: bool = False


@dataclass(frozen=True, slots=True)
class RowScores:
    """One version on the common rows: mean pinball loss, skill over each benchmark, coverage.

    A skill is the fraction by which the loss is lower than the benchmark's on the same rows; None where
    the benchmark lost nothing.
    """

    loss: float
    skill_ewma: float | None
    skill_static: float | None
    coverage: float


@dataclass(frozen=True, slots=True)
class SameRows:
    """Both versions on the candles that both forecast and neither was trained on.

    `live_rows` of the `rows` were forecast before their outcome was known; `words` is the verdict on the
    second version with its evidence, `verdict` its name. About `rows_missing` more would settle it: 0 when
    it is settled, None when no number of rows would do. `rows_per_hour` is how fast common rows come now,
    None while there is no live row. With equal losses on every row it `is_void` and has no `regimes`.
    """

    start_at: datetime
    end_at: datetime
    rows: int
    live_rows: int
    first: RowScores
    second: RowScores
    words: str
    verdict: str
    rows_missing: int | None
    rows_per_hour: float | None
    regimes: tuple[RegimeLosses, ...] = ()
    is_void: bool = False

    @property
    def missing_words(self) -> str:
        """How many rows the gate lacks to decide, and how long they take at the present pace."""
        if self.is_void:
            return "more rows tell nothing as long as both lose the same on each"
        if self.verdict in (BETTER, WORSE):
            return "no row is missing: the evidence is settled"
        if self.rows_missing is None:
            return "no number of rows would tell: the difference is too small"
        missing = f"about {self.rows_missing:,} more rows would tell"
        if self.rows_per_hour is None:
            return f"{missing}; how long that takes is not known: no row was forecast live"
        if self.rows_per_hour <= 0.0:
            return f"{missing}; none comes at present: one of the two makes no live forecast"
        hours = self.rows_missing / self.rows_per_hour
        return f"{missing}, {_lasting(hours)} at the present {self.rows_per_hour:,.0f} rows an hour"


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """Seconds that search and fit took, bytes of the model; None where that is not recorded."""

    seconds: float | None = None
    model_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class ModelComparison:
    """What two versions of a project have in common and what not.

    `metrics` of the trainings by name, of the first and the second, None where one has none; `differing`
    the parameters and tags that differ, "" where one has none. `same_rows` is None when there is no row to
    compare them on, for the reason in `why_not`. `trials` are the gate's comparisons of this pair.
    """

    project: str
    first: ModelVersion
    second: ModelVersion
    metrics: dict[str, tuple[float | None, float | None]]
    differing: dict[str, tuple[str, str]]
    same_rows: SameRows | None
    why_not: str
    trials: tuple[Trial, ...]
    trainings: tuple[TrainingFacts, TrainingFacts] = (TrainingFacts(), TrainingFacts())


def _lasting(hours: float) -> str:
    if hours < 1.0:
        return f"{max(60.0 * hours, 1.0):.0f} min"
    return f"{hours:.0f} h" if hours < 48.0 else f"{hours / 24.0:.1f} days"
