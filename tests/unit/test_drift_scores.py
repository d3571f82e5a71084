"""PSI, Kolmogorov-Smirnov, Wasserstein and false-discovery control."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from appliance.domain.drift import DriftVerdict
from appliance.drift.profile import GRID_POINTS, ReferenceProfile, build_profile
from appliance.drift.psi import fixed_edges, fractions_of_sorted, psi
from appliance.drift.report import DriftThresholds, overall_verdict, score_features
from appliance.drift.stat_tests import (
    KOLMOGOROV_MEAN,
    effective_rows,
    ks_p_value,
    ks_statistic,
    probabilities,
    rejected,
    wasserstein,
)

STABLE, WARNING = DriftVerdict.STABLE, DriftVerdict.WARNING
DRIFTED, INSUFFICIENT = DriftVerdict.DRIFTED, DriftVerdict.INSUFFICIENT


def random(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def grid_of(values: np.ndarray) -> np.ndarray:
    return np.quantile(values, probabilities(GRID_POINTS))


def test_psi_of_the_reference_with_itself_is_zero() -> None:
    values = np.sort(random().normal(size=1_000))
    fractions = fractions_of_sorted(values, fixed_edges(values))
    assert psi(fractions, fractions) == 0.0


def test_psi_matches_the_formula_by_hand() -> None:
    expected = (0.4 - 0.2) * np.log(0.4 / 0.2) + (0.6 - 0.8) * np.log(0.6 / 0.8)
    assert psi(np.array([0.2, 0.8]), np.array([0.4, 0.6])) == pytest.approx(expected)


@given(st.lists(st.floats(0.01, 1.0), min_size=2, max_size=12), st.integers(0, 2**32 - 1))
def test_psi_is_never_negative_and_symmetric(weights: list[float], seed: int) -> None:
    reference = np.array(weights) / sum(weights)
    current = random(seed).permutation(reference)
    assert psi(reference, current) >= 0.0
    assert psi(reference, current) == pytest.approx(psi(current, reference))


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=200))
def test_every_value_falls_into_exactly_one_bin(values: list[int]) -> None:
    ordered = np.sort(np.array(values, dtype=np.float64))
    assert fractions_of_sorted(ordered, fixed_edges(ordered)).sum() == pytest.approx(1.0)


def test_bins_come_from_the_reference_alone() -> None:
    profile = build_profile(["x"], random().normal(size=(5_000, 1)), 500)
    edges = profile.features["x"].edges
    score_features(profile, {"x": random(2).normal(100.0, 1.0, 500)}, DriftThresholds())
    assert profile.features["x"].edges == edges


@pytest.mark.parametrize("shift", [0.0, 0.3, 2.0])
def test_distances_agree_with_scipy(shift: float) -> None:
    reference, current = random(3).normal(size=20_000), np.sort(random(4).normal(shift, 1.0, 5_000))
    grid = grid_of(reference)
    assert ks_statistic(current, grid) == pytest.approx(
        stats.ks_2samp(reference, current).statistic, abs=1.0 / (GRID_POINTS - 1)
    )
    assert wasserstein(current, grid, float(reference.std())) == pytest.approx(
        stats.wasserstein_distance(reference, current) / reference.std(), abs=0.03
    )


def test_ks_compares_ties_on_both_sides() -> None:
    reference = np.array([0.0] * 70 + [1.0] * 30)
    same, more = np.sort(reference), np.array([0.0] * 20 + [1.0] * 80)
    assert ks_statistic(same, grid_of(reference)) == pytest.approx(0.0, abs=0.011)
    assert ks_statistic(more, grid_of(reference)) == pytest.approx(0.5, abs=0.011)


def test_ks_p_values_are_uniform_for_independent_rows() -> None:
    grid = stats.norm.ppf(np.clip(probabilities(GRID_POINTS), 1e-6, 1 - 1e-6))
    rng = random(5)
    p = [ks_p_value(ks_statistic(np.sort(rng.normal(size=200)), grid), 200) for _ in range(400)]
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=0.05)


def test_autocorrelated_windows_are_worth_fewer_rows() -> None:
    assert effective_rows(KOLMOGOROV_MEAN / np.sqrt(50), 720) == pytest.approx(50)
    assert effective_rows(0.0, 720) == 720
    assert effective_rows(5.0, 720) == 1.0


def test_benjamini_hochberg_rejects_the_step_up_set() -> None:
    assert rejected([0.001, 0.04, 0.02, 0.9], 0.05) == [True, False, True, False]
    assert rejected([], 0.05) == []


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30), st.floats(0.001, 0.5))
def test_benjamini_hochberg_is_monotone(p_values: list[float], alpha: float) -> None:
    verdicts = rejected(p_values, alpha)
    limit = max(
        (p for p, is_rejected in zip(p_values, verdicts, strict=True) if is_rejected), default=-1.0
    )
    assert all(
        is_rejected == (p <= limit) for p, is_rejected in zip(p_values, verdicts, strict=True)
    )


def test_a_profile_survives_json() -> None:
    profile = build_profile(["a", "b"], random().normal(size=(3_000, 2)), 300)
    assert ReferenceProfile.from_json(json.loads(json.dumps(profile.to_json()))) == profile


def ar1(rows: int, rho: float, seed: int) -> np.ndarray:
    shocks, values = random(seed).normal(size=rows), np.zeros(rows)
    for i in range(1, rows):
        values[i] = rho * values[i - 1] + shocks[i]
    return values


def test_an_ordinary_day_of_an_autocorrelated_feature_has_not_drifted() -> None:
    values = ar1(26_000, 0.99, 6)
    profile = build_profile(["x"], values[:20_000, None], 720)
    starts = range(20_000, 26_000 - 720, 720)
    verdicts = [
        score_features(profile, {"x": values[s : s + 720]}, DriftThresholds())[0].verdict
        for s in starts
    ]
    assert DRIFTED not in verdicts


def test_a_shift_is_found_in_the_feature_that_shifted() -> None:
    profile = build_profile(["same", "moved"], random().normal(size=(20_000, 2)), 720)
    current = {"same": random(8).normal(size=720), "moved": random(9).normal(1.5, 1.0, 720)}
    same, moved = score_features(profile, current, DriftThresholds())
    assert (same.verdict, moved.verdict) == (STABLE, DRIFTED)
    assert moved.psi is not None
    assert moved.psi > 0.25
    assert moved.wasserstein == pytest.approx(1.5, abs=0.2)


def test_too_few_or_broken_rows_say_nothing() -> None:
    profile = build_profile(["x", "absent"], random().normal(size=(5_000, 2)), 500)
    current = np.concatenate((random().normal(size=90), np.full(50, np.nan), [np.inf, -np.inf]))
    few, absent = score_features(profile, {"x": current}, DriftThresholds(min_rows=100))
    assert (few.verdict, few.rows, few.psi) == (INSUFFICIENT, 90, None)
    assert (absent.verdict, absent.rows) == (INSUFFICIENT, 0)
    assert overall_verdict((few, absent), [], 2) is INSUFFICIENT


def test_drift_is_called_only_when_it_persists() -> None:
    profile = build_profile(["x"], random().normal(size=(20_000, 1)), 720)
    scores = score_features(profile, {"x": random(9).normal(2.0, 1.0, 720)}, DriftThresholds())
    assert overall_verdict(scores, [], 3) is WARNING
    assert overall_verdict(scores, [STABLE, WARNING], 3) is WARNING
    assert overall_verdict(scores, [WARNING, DRIFTED], 3) is DRIFTED
    assert overall_verdict(scores, [STABLE, WARNING, WARNING], 3) is DRIFTED
    assert overall_verdict(scores, [], 1) is DRIFTED
