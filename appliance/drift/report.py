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
    reaches `psi_warning`; it has drifted when PSI reaches `psi_drifted` and the
    Kolmogorov-Smirnov test is rejected, false discoveries limited to `alpha`. Below `min_rows` rows
    nothing is said. The whole window has drifted once `persistence` windows in a row exceed.
    """

    psi_warning: float = 0.1
    psi_drifted: float = 0.25
    alpha: float = 0.01
    min_rows: int = 100
    persistence: int = 3


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
    if rows < max(thresholds.min_rows, 1):
        return DriftScore(name, DriftVerdict.INSUFFICIENT, rows)
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
    )


def _verdict(
    score: DriftScore, feature: FeatureProfile, is_rejected: bool, thresholds: DriftThresholds
) -> DriftVerdict:
    index = score.psi or 0.0
    has_strayed = (
        index >= MARGIN * feature.psi_max
        or (score.wasserstein or 0.0) >= MARGIN * feature.wasserstein_max
    )
    if is_rejected and has_strayed and index >= thresholds.psi_drifted:
        return DriftVerdict.DRIFTED
    if has_strayed and index >= thresholds.psi_warning:
        return DriftVerdict.WARNING
    return DriftVerdict.STABLE
