"""Trials: two versions forecast the same candles, and their losses decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class TrialPurpose(StrEnum):
    """Why two versions are compared.

    In a challenge the champion is in production and the challenger wants to be; in probation the
    champion was promoted lately and the challenger is the one it deposed.
    """

    CHALLENGE = "challenge"
    PROBATION = "probation"


class TrialState(StrEnum):
    """How a trial stands; all but `running` are final."""

    RUNNING = "running"
    BETTER = "better"
    PROMOTED = "promoted"
    WORSE = "worse"
    UNDECIDED = "undecided"
    SUPERSEDED = "superseded"
    RESTORED = "restored"
    PASSED = "passed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Trial:
    """One comparison; `evidence` holds the newest look, JSON-compatible.

    Candles that open at `from_at` or later count. `words` in the evidence says the verdict in a sentence.
    """

    project: str
    purpose: TrialPurpose
    champion: int
    challenger: int
    started_at: datetime
    from_at: datetime
    state: TrialState = TrialState.RUNNING
    evidence: dict[str, object] = field(default_factory=dict)
    changed_at: datetime | None = None

    @property
    def words(self) -> str:
        """The newest verdict in a sentence, "" before the first look."""
        return str(self.evidence.get("words", ""))


def describe_trials(trials: Sequence[Trial], champion: int, version: int) -> list[str]:
    """Return what is known of exactly this pair, one sentence a comparison, newest first.

    Args:
        trials: comparisons of the two, newest first.
        champion: the version in production.
        version: the one that is to take its place.
    """
    if not trials:
        return [
            f"the gate has no verdict: versions {version} and {champion} were never compared on rows"
            " that neither was trained on"
        ]
    return [
        f"{trial.purpose} of version {trial.challenger} against {trial.champion}, {trial.state}:"
        f" {trial.words or 'no common row with an outcome yet'}"
        for trial in trials
    ]


@dataclass(frozen=True, slots=True)
class TwinAccount:
    """What retraining has gained or lost against the model that nobody would have replaced.

    Mean pinball losses of log returns over the same `rows` candles, of what was in production at the time
    and of the frozen twin; `verdict` is `gained`, `lost` or `undecided`.
    """

    project: str
    model_version: int
    rows: int
    production_loss: float
    twin_loss: float
    verdict: str
    computed_at: datetime

    @property
    def gain(self) -> float | None:
        """The fraction by which production's loss is lower than the twin's; None when that lost nothing."""
        return 1.0 - self.production_loss / self.twin_loss if self.twin_loss > 0.0 else None


@dataclass(frozen=True, slots=True)
class ParkedRetrain:
    """A retrain that was wanted and not allowed yet."""

    project: str
    reasons: tuple[str, ...]
    parked_at: datetime


@dataclass(frozen=True, slots=True)
class LossEstimate:
    """The mean pinball loss that a window's forecasts let one expect, and the one that came.

    The window's forecasts open in [window_start_at, window_end_at]; `realised` is None until all matured.
    """

    project: str
    model_version: int
    window_start_at: datetime
    window_end_at: datetime
    rows: int
    expected: float
    realised: float | None
    estimated_at: datetime
