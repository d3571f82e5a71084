"""PSI, Kolmogorov-Smirnov, Wasserstein and false-discovery control."""

from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from appliance.domain.drift import DriftVerdict
from appliance.drift.profile import ReferenceProfile, build_profile
from appliance.drift.psi import fixed_edges, fractions_of_sorted, psi
from appliance.drift.report import (
    DriftThresholds,
    apart_positions,
    lasting,
    overall_verdict,
    score_features,
)
from appliance.drift.stat_tests import ks_statistic, probabilities, rejected, wasserstein
from appliance.drift.wandering import GRID_POINTS, Shape, Wandering
from tests import builders

NOW = builders.NOW
STABLE, WARNING = DriftVerdict.STABLE, DriftVerdict.WARNING
DRIFTED, INSUFFICIENT = DriftVerdict.DRIFTED, DriftVerdict.INSUFFICIENT


def lasting_over(windows: int) -> DriftThresholds:
    return DriftThresholds(persistence=windows)


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
    edges = profile.features["x"].shape.edges
    score_features(profile, {"x": random(2).normal(100.0, 1.0, 500)}, DriftThresholds())
    assert profile.features["x"].shape.edges == edges


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


def test_a_later_window_of_a_stable_market_is_as_improbable_as_its_p_value_says() -> None:
    values = ar1(220_000, 0.99, 5)
    p_values = []
    for start in range(0, 200_000, 20_000):
        reference = values[start : start + 20_000]
        shape, wandering = Shape.of(np.sort(reference)), Wandering.of(reference, 720)
        for later in range(start + 20_000, start + 40_000 - 720, 1_000):
            window = np.sort(values[later : later + 720])
            found = wandering.p_values(shape.distances(window), 720, 720)
            assert found is not None
            p_values.append(found)
    for column in np.array(p_values).T:
        assert np.mean(column < 0.1) == pytest.approx(0.1, abs=0.06)
        assert np.mean(column < 0.01) < 0.035


def test_a_shorter_window_may_lie_farther_away() -> None:
    wandering = Wandering.of(random(6).normal(size=20_000), 720)
    distances = np.array([0.03, 0.06, 0.12])
    whole, short = (wandering.p_values(distances, rows, 720) for rows in (720, 180))
    assert whole is not None
    assert short is not None
    assert (short > whole).all()


def test_too_short_a_reference_knows_nothing_of_its_wandering() -> None:
    values = np.full((4_000, 1), np.nan)
    values[::10, 0] = random().normal(size=400)
    few = build_profile(["x"], values, 720)
    (score,) = score_features(few, {"x": random(2).normal(9.0, 1.0, 250)}, DriftThresholds())
    assert (score.verdict, score.p_value) == (INSUFFICIENT, None)
    assert score.psi is not None


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
    assert overall_verdict((few, absent), [], lasting_over(2)) is INSUFFICIENT


def test_drift_is_called_only_when_it_persists() -> None:
    profile = build_profile(["x"], random().normal(size=(20_000, 1)), 720)
    moved = score_features(profile, {"x": random(9).normal(2.0, 1.0, 720)}, DriftThresholds())
    calm = score_features(profile, {"x": random(10).normal(0.0, 1.0, 720)}, DriftThresholds())
    assert [score.verdict for score in (*moved, *calm)] == [DRIFTED, STABLE]
    assert overall_verdict(moved, [], lasting_over(3)) is WARNING
    assert overall_verdict(moved, [calm, moved], lasting_over(3)) is WARNING
    assert overall_verdict(moved, [moved, moved], lasting_over(3)) is DRIFTED
    assert overall_verdict(moved, [calm, moved, moved], lasting_over(3)) is DRIFTED
    assert overall_verdict(moved, [], lasting_over(1)) is DRIFTED
    assert overall_verdict(calm, [moved, moved], lasting_over(3)) is STABLE
    assert lasting(moved, [moved], lasting_over(2)) == ["x"]


def test_one_feature_today_and_another_yesterday_do_not_persist() -> None:
    profile = build_profile(["a", "b"], random().normal(size=(20_000, 2)), 720)
    normal, far = random(9).normal(size=720), random(9).normal(2.0, 1.0, 720)
    today = score_features(profile, {"a": far, "b": normal}, DriftThresholds())
    before = score_features(profile, {"a": normal, "b": far}, DriftThresholds())
    assert overall_verdict(today, [before], lasting_over(2)) is WARNING


def test_windows_that_overlap_too_much_are_one() -> None:
    ends = [NOW + timedelta(minutes=30 * step) for step in range(24)]
    end_at, apart = NOW + timedelta(minutes=720), timedelta(minutes=360)
    assert apart_positions(ends, end_at, apart, 2) == [0, 12]
    assert apart_positions(ends, end_at, apart, 1) == [12]
    assert apart_positions(ends[20:], end_at, apart, 2) == []
    assert apart_positions([], end_at, apart, 2) == []


def test_lost_candles_are_drift_of_their_own() -> None:
    profile = build_profile(["x"], random().normal(size=(20_000, 1)), 720)
    values = random(9).normal(size=720)
    values[:216] = np.nan
    (score,) = score_features(profile, {"x": values}, DriftThresholds())
    assert (score.verdict, score.missing_rate) == (DRIFTED, pytest.approx(0.3))
    tolerant = DriftThresholds(missing_drifted=0.4)
    assert score_features(profile, {"x": values}, tolerant)[0].verdict is STABLE


def test_where_the_model_knows_nothing_is_drift_however_far_windows_wander() -> None:
    values = np.sin(np.arange(20_000) / 1_500.0)  # windows lie as far apart as can be
    profile = build_profile(["x"], values[:, None], 720)
    inside, outside = np.full(720, 0.99), np.full(720, 1.01)
    outside[:300] = 0.0
    for current, share, verdict in ((inside, 0.0, STABLE), (outside, 420 / 720, DRIFTED)):
        (score,) = score_features(profile, {"x": current}, DriftThresholds())
        assert (score.verdict, score.outside) == (verdict, pytest.approx(share))


def test_a_short_reference_is_compared_with_short_windows() -> None:
    assert build_profile(["x"], random().normal(size=(20_000, 1)), 720).window_rows == 720
    assert build_profile(["x"], random().normal(size=(3_200, 1)), 720).window_rows == 200


def test_what_nearly_never_happens_is_no_drift_when_it_does() -> None:
    """Nearly always zero: the reference does not tell how far the feature may go."""
    values = np.zeros(20_000)
    values[9_000:9_040] = 1.0
    profile = build_profile(["x"], values[:, None], 720)
    current = np.concatenate((np.zeros(600), np.ones(120)))
    (score,) = score_features(profile, {"x": current}, DriftThresholds())
    assert score.verdict is STABLE
    assert score.psi is not None
    assert score.psi > 0.25


@pytest.mark.parametrize("statistic", ["psi", "ks", "wasserstein"])
def test_each_statistic_alone_finds_a_shift(statistic: str) -> None:
    profile = build_profile(["x"], random().normal(size=(20_000, 1)), 720)
    thresholds = DriftThresholds(statistics=frozenset({statistic}))
    (moved,) = score_features(profile, {"x": random(9).normal(1.5, 1.0, 720)}, thresholds)
    (same,) = score_features(profile, {"x": random(9).normal(0.0, 1.0, 720)}, thresholds)
    assert (moved.verdict, same.verdict) == (DRIFTED, STABLE)


def test_a_histogram_shows_both_distributions_over_the_same_bins() -> None:
    rng = np.random.default_rng(3)
    reference, moved = np.sort(rng.normal(size=5000)), np.sort(rng.normal(1.0, size=500))
    known = Shape.of(reference).histogram(moved)
    assert len(known.edges) == len(known.reference) + 1 == len(known.current) + 1
    assert sum(known.reference) == pytest.approx(1.0)
    assert sum(known.current) == pytest.approx(1.0)
    counted, _ = np.histogram(np.clip(reference, known.edges[0], known.edges[-1]), known.edges)
    assert np.abs(np.array(known.reference) - counted / reference.size).max() < 0.01
    middles = (np.array(known.edges[1:]) + np.array(known.edges[:-1])) / 2
    assert middles @ np.array(known.current) - middles @ np.array(known.reference) > 0.8
    still = Shape.of(np.ones(50)).histogram(np.ones(9))
    assert sum(still.reference) == sum(still.current) == 1.0
