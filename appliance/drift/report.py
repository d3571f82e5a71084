"""Scores and verdicts of a current window against a reference profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from appliance.domain.drift import DriftScore, DriftVerdict
from appliance.drift.profile import FeatureProfile, ReferenceProfile
from appliance.drift.psi import fractions_of_sorted, psi
from appliance.drift.stat_tests import ks_p_value, ks_statistic, rejected, wasserstein

Vector = NDArray[np.float64]

MARGIN = 1.25
"""A window must exceed what the reference did to itself by this factor."""


@dataclass(frozen=True, slots=True)
class DriftThresholds:
    """When a score is worth a word.

    A feature has strayed when its PSI or its Wasserstein distance exceeds everything that windows of the
    reference did to themselves (PSI alone saturates). It is a warning when it has strayed and its PSI
    reaches `psi_warning`; it has drifted when PSI reaches `psi_drifted` and the Kolmogorov-Smirnov
    test is rejected, false discoveries limited to `alpha`. Below `min_rows` rows nothing is said.
    Only `statistics` (psi, ks, wasserstein) count for that; the others are reported. A feature has also
    drifted when the fraction of candles without a value exceeds everything in the reference by
    `missing_drifted`. The whole window has drifted once `persistence` windows in a row exceed.
    """

    psi_warning: float = 0.1
    psi_drifted: float = 0.25
    alpha: float = 0.01
    min_rows: int = 100
    persistence: int = 3
    statistics: frozenset[str] = frozenset({"psi", "ks", "wasserstein"})
    missing_drifted: float = 0.1


def score_features(
    profile: ReferenceProfile, current: Mapping[str, Vector], thresholds: DriftThresholds
) -> tuple[DriftScore, ...]:
    """Score each profiled feature's current values, shape (rows,); NaN are left out.

    Returns:
        One score per feature of the profile, in the profile's order; `insufficient` where the window
        has fewer finite rows than `min_rows`.
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


def overall_verdict(
    scores: Sequence[DriftScore], earlier: Sequence[DriftVerdict], persistence: int
) -> DriftVerdict:
    """Return the window's verdict.

    Args:
        scores: the window's scores.
        earlier: verdicts of the preceding windows of the same model, newest last.
        persistence: windows in a row that must exceed before the verdict is `drifted`.

    Returns:
        `insufficient` when no feature could be scored; `drifted` when a feature has drifted and
        the `persistence - 1` preceding windows were not calm either; `warning` when a feature
        warns or has drifted for the first time; else `stable`.
    """
    seen = {score.verdict for score in scores}
    if not seen - {DriftVerdict.INSUFFICIENT}:
        return DriftVerdict.INSUFFICIENT
    if DriftVerdict.DRIFTED in seen:
        needed = persistence - 1
        recent = list(earlier)[-needed:] if needed else []
        uneasy = {DriftVerdict.WARNING, DriftVerdict.DRIFTED}
        has_persisted = len(recent) == needed and set(recent) <= uneasy
        return DriftVerdict.DRIFTED if has_persisted else DriftVerdict.WARNING
    return DriftVerdict.WARNING if DriftVerdict.WARNING in seen else DriftVerdict.STABLE


def by_effect(scores: Sequence[DriftScore]) -> list[DriftScore]:
    """Return scores by falling effect on the loss, then by falling distance."""
    return sorted(scores, key=lambda s: (-(s.effect or 0.0), -(s.wasserstein or 0.0)))


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
    grid = np.asarray(feature.quantiles)
    statistic = ks_statistic(ordered, grid)
    worth = feature.effective_rows * rows / window_rows
    fractions = fractions_of_sorted(ordered, np.asarray(feature.edges))
    return DriftScore(
        feature=name,
        verdict=DriftVerdict.STABLE,
        rows=rows,
        psi=psi(np.asarray(feature.fractions), fractions),
        ks=statistic,
        p_value=ks_p_value(statistic, worth),
        wasserstein=wasserstein(ordered, grid, feature.std),
        missing_rate=missing,
    )


def _verdict(
    score: DriftScore, feature: FeatureProfile, is_rejected: bool, thresholds: DriftThresholds
) -> DriftVerdict:
    if (score.missing_rate or 0.0) > feature.missing_max + thresholds.missing_drifted:
        return DriftVerdict.DRIFTED
    used = thresholds.statistics
    index = score.psi or 0.0 if "psi" in used else np.inf
    strayed = {
        "psi": index >= MARGIN * feature.psi_max,
        "wasserstein": (score.wasserstein or 0.0) >= MARGIN * feature.wasserstein_max,
    }
    has_strayed = any(strayed[name] for name in strayed.keys() & used) or used == {"ks"}
    has_shifted = is_rejected or "ks" not in used
    if has_strayed and has_shifted and index >= thresholds.psi_drifted:
        return DriftVerdict.DRIFTED
    if has_strayed and index >= thresholds.psi_warning and (has_shifted or "psi" in used):
        return DriftVerdict.WARNING
    return DriftVerdict.STABLE
