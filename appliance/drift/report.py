"""Scores and verdicts of a current window against a reference profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from appliance.domain.drift import DriftScore, DriftVerdict
from appliance.drift.profile import FeatureProfile, ReferenceProfile
from appliance.drift.stat_tests import rejected
from appliance.drift.wandering import STATISTICS

Vector = NDArray[np.float64]

_BEARING = 5.0
"""Times alpha: how improbable an earlier window must be to bear a drift out."""

_UNEASY = frozenset({DriftVerdict.WARNING, DriftVerdict.DRIFTED})


@dataclass(frozen=True, slots=True)
class DriftThresholds:
    """When a score is worth a word.

    A feature's window has drifted when it lies farther from the reference than windows of the reference
    do themselves, false discoveries among all features limited to `alpha`, and its PSI reaches
    `psi_drifted`; it is a warning when it alone is that improbable and its PSI reaches `psi_warning`.
    Only `statistics` (psi, ks, wasserstein) count for that, and PSI's limits only where psi is among
    them. It has also drifted when more than `outside_drifted` of its rows lie beyond one end of the
    reference, where the model has nothing to go by, or when the fraction of candles without a value
    exceeds everything in the reference by `missing_drifted`. Below `min_rows` rows nothing is said. The
    verdict is `drifted` once a feature has lasted over `persistence` windows.
    """

    psi_warning: float = 0.1
    psi_drifted: float = 0.25
    alpha: float = 0.01
    min_rows: int = 100
    persistence: int = 3
    statistics: frozenset[str] = frozenset(STATISTICS)
    missing_drifted: float = 0.1
    outside_drifted: float = 0.5


def score_features(
    profile: ReferenceProfile, current: Mapping[str, Vector], thresholds: DriftThresholds
) -> tuple[DriftScore, ...]:
    """Score each profiled feature's current values, shape (rows,); NaN are left out.

    Returns:
        One score per feature of the profile, in the profile's order; `insufficient` where the window
        has fewer finite rows than `min_rows`, or the reference too few windows to compare with.
    """
    empty = np.empty(0)
    scores = [
        _measure(name, feature, current.get(name, empty), profile.window_rows, thresholds)
        for name, feature in profile.features.items()
    ]
    tested = [index for index, score in enumerate(scores) if score.p_value is not None]
    verdicts = rejected([scores[index].p_value or 0.0 for index in tested], thresholds.alpha)
    for index, is_rejected in zip(tested, verdicts, strict=True):
        score = scores[index]
        verdict = _verdict(score, profile.features[score.feature], is_rejected, thresholds)
        scores[index] = replace(score, verdict=verdict)
    return tuple(scores)


def lasting(
    scores: Sequence[DriftScore],
    earlier: Sequence[Sequence[DriftScore]],
    thresholds: DriftThresholds,
) -> list[str]:
    """Return the features that have drifted and were not calm in the `persistence` - 1 windows before.

    Args:
        scores: the window's scores.
        earlier: scores of the preceding windows of the same model, newest last.
        thresholds: when a window counts.
    """
    needed = thresholds.persistence - 1
    if len(earlier) < needed:
        return []
    names = {score.feature for score in scores if score.verdict is DriftVerdict.DRIFTED}
    for window in list(earlier)[len(earlier) - needed :]:
        names &= {score.feature for score in window if _is_uneasy(score, thresholds)}
    return [score.feature for score in scores if score.feature in names]


def overall_verdict(
    scores: Sequence[DriftScore],
    earlier: Sequence[Sequence[DriftScore]],
    thresholds: DriftThresholds,
) -> DriftVerdict:
    """Return the window's verdict; arguments as those of `lasting`.

    Returns:
        `insufficient` when no feature could be scored; `drifted` when a feature's drift has lasted;
        `warning` when a feature warns or has not drifted for long enough; else `stable`.
    """
    seen = {score.verdict for score in scores}
    if not seen - {DriftVerdict.INSUFFICIENT}:
        return DriftVerdict.INSUFFICIENT
    if lasting(scores, earlier, thresholds):
        return DriftVerdict.DRIFTED
    return DriftVerdict.WARNING if seen & _UNEASY else DriftVerdict.STABLE


def _is_uneasy(score: DriftScore, thresholds: DriftThresholds) -> bool:
    """Whether an earlier window bears a drift out: less than a verdict of its own would take."""
    if score.verdict in _UNEASY:
        return True
    is_far = "psi" not in thresholds.statistics or (score.psi or 0.0) >= thresholds.psi_warning
    return is_far and score.p_value is not None and score.p_value <= _BEARING * thresholds.alpha


def apart_positions(
    ends: Sequence[datetime], end_at: datetime, apart: timedelta, count: int
) -> list[int]:
    """Return the positions of at most `count` windows before `end_at`, ascending, `apart` or more apart.

    Args:
        ends: where the windows end, ascending.
        end_at: where the present window ends.
        apart: the least distance between the ends of two windows.
        count: how many are wanted, the newest ones.
    """
    chosen: list[int] = []
    before_at = end_at
    for position in reversed(range(len(ends))):
        if len(chosen) < count and ends[position] <= before_at - apart:
            chosen.append(position)
            before_at = ends[position]
    return chosen[::-1]


def _measure(
    name: str,
    feature: FeatureProfile,
    values: Vector,
    window_rows: int,
    thresholds: DriftThresholds,
) -> DriftScore:
    ordered = np.sort(values)
    ordered = ordered[: np.searchsorted(ordered, np.inf, side="left")]
    ordered = ordered[np.searchsorted(ordered, -np.inf, side="right") :]
    rows = int(ordered.size)
    missing = 1.0 - rows / values.size if values.size else None
    if rows < max(thresholds.min_rows, 1):
        return DriftScore(name, DriftVerdict.INSUFFICIENT, rows, missing_rate=missing)
    distances = feature.shape.distances(ordered)
    index, ks, wasserstein = distances.tolist()
    return DriftScore(
        feature=name,
        verdict=DriftVerdict.INSUFFICIENT,
        rows=rows,
        psi=index,
        ks=ks,
        p_value=_p_value(feature, distances, rows, window_rows, thresholds),
        wasserstein=wasserstein if feature.shape.std > 0.0 else None,
        missing_rate=missing,
        outside=feature.shape.outside(ordered),
        histogram=feature.shape.histogram(ordered),
    )


def _p_value(
    feature: FeatureProfile,
    distances: Vector,
    rows: int,
    window_rows: int,
    thresholds: DriftThresholds,
) -> float | None:
    """Return the smallest p-value of the statistics in use, times how many they are (Bonferroni)."""
    found = feature.wandering.p_values(distances, rows, window_rows)
    if found is None:
        return None
    used = [p for name, p in zip(STATISTICS, found, strict=True) if name in thresholds.statistics]
    return float(min(1.0, len(used) * min(used)))


def _verdict(
    score: DriftScore, feature: FeatureProfile, is_rejected: bool, thresholds: DriftThresholds
) -> DriftVerdict:
    is_lost = (score.missing_rate or 0.0) > feature.missing_max + thresholds.missing_drifted
    if is_lost or (score.outside or 0.0) > thresholds.outside_drifted:
        return DriftVerdict.DRIFTED
    index = score.psi or 0.0 if "psi" in thresholds.statistics else np.inf
    if is_rejected and index >= thresholds.psi_drifted:
        return DriftVerdict.DRIFTED
    is_improbable = (score.p_value or 0.0) <= thresholds.alpha
    if (is_rejected or is_improbable) and index >= thresholds.psi_warning:
        return DriftVerdict.WARNING
    return DriftVerdict.STABLE
