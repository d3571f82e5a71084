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
class DriftScore:
    """One feature's current window against the reference profile.

    `psi` is the population stability index; `ks` the Kolmogorov-Smirnov statistic in [0, 1] with
    `p_value`; `wasserstein` is the distance in reference standard deviations. None where the
    sample was insufficient.
    """

    feature: str
    verdict: DriftVerdict
    rows: int
    psi: float | None = None
    ks: float | None = None
    p_value: float | None = None
    wasserstein: float | None = None


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
