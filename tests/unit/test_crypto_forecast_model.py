"""The estimator, its scores, and walk-forward evaluation."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import skops.io
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import QuantileRegressor

from appliance.errors import ConfigError, InsufficientData
from appliance.pipelines.crypto_forecast.configs.crypto_spec import FeatureSpec
from appliance.pipelines.crypto_forecast.preprocessor.feature_engineering import CALENDAR
from appliance.pipelines.crypto_forecast.preprocessor.transformation import compute_rows
from appliance.pipelines.crypto_forecast.utils.load_spec_from_config import load_spec_from_config
from appliance.pipelines.forecasting.evaluator.comparison import compare_pairs
from appliance.pipelines.forecasting.evaluator.figures import fold_figure, holdout_figures
from appliance.pipelines.forecasting.evaluator.scores import pinball_losses, score
from appliance.pipelines.forecasting.evaluator.walk_forward import (
    evaluate_walk_forward,
    split_folds,
)
from appliance.pipelines.forecasting.forecast_spec import EvaluationSpec
from appliance.pipelines.forecasting.preprocessor.labels import LabelledRows, label_rows
from appliance.pipelines.forecasting.trainer.linear_quantiles import smoothed_quantile
from appliance.pipelines.forecasting.trainer.quantile_forecaster import QuantileForecaster
from appliance.pipelines.forecasting.trainer.training import content_hash, split_rows
from appliance.registry.promotion import Verdict
from tests.fakes.market import synthetic_candles

HORIZON = 5
LEVELS = (0.1, 0.5, 0.9)
SPEC = FeatureSpec(half_lives=(5, 20, 60), scale_half_life=20, return_lags=(1, 5))


@pytest.fixture(scope="module")
def rows() -> LabelledRows:
    return label_rows(compute_rows(synthetic_candles(4_000), [], 1, SPEC), 1, HORIZON)


def new_model() -> QuantileForecaster:
    return QuantileForecaster(horizon=HORIZON, scale_iter=30, quantile_iter=10)


@pytest.fixture(scope="module")
def model(rows: LabelledRows) -> QuantileForecaster:
    part = rows.slice(0, 2_800)
    return new_model().fit(part.features, part.returns, part.realised)


def test_quantiles_never_cross(model: QuantileForecaster, rows: LabelledRows) -> None:
    assert (np.diff(model.predict(rows.features), axis=1) >= 0.0).all()


def test_the_interval_covers_what_it_says_on_unseen_rows(
    model: QuantileForecaster, rows: LabelledRows
) -> None:
    test = rows.slice(2_800 + HORIZON)
    lower, _, upper = model.predict(test.features).T
    assert np.mean((test.returns >= lower) & (test.returns <= upper)) == pytest.approx(
        0.8, abs=0.08
    )


def test_it_beats_the_static_benchmark_where_volatility_clusters(
    model: QuantileForecaster, rows: LabelledRows
) -> None:
    test = rows.slice(2_800 + HORIZON)
    x = test.features
    forecast = model.predict(x), model.predict_static(x), model.predict_ewma(x)
    assert score(test.returns, *forecast, LEVELS).skill_static > 0.02


def test_same_rows_give_the_same_model(model: QuantileForecaster, rows: LabelledRows) -> None:
    part = rows.slice(0, 2_800)
    again = clone(model).fit(part.features, part.returns, part.realised)
    np.testing.assert_array_equal(again.predict(rows.features), model.predict(rows.features))


def test_it_survives_skops_without_foreign_types(
    model: QuantileForecaster, rows: LabelledRows
) -> None:
    stored = skops.io.dumps(model)
    types = skops.io.get_untrusted_types(data=stored)
    assert all(name.startswith(("sklearn.", "numpy.", "appliance.pipelines.")) for name in types)
    loaded = skops.io.loads(stored, trusted=types)
    np.testing.assert_array_equal(loaded.predict(rows.features), model.predict(rows.features))


def test_columns_are_taken_by_name(model: QuantileForecaster, rows: LabelledRows) -> None:
    shuffled = rows.features[rows.features.columns[::-1]]
    np.testing.assert_array_equal(model.predict(shuffled), model.predict(rows.features))


def test_a_missing_feature_is_named(model: QuantileForecaster, rows: LabelledRows) -> None:
    with pytest.raises(ConfigError) as raised:
        model.predict(rows.features.drop(columns=["return_5", "idle"]))
    assert "return_5, idle are not prepared" in raised.value.message
    assert "appliance run train" in raised.value.hint


def test_without_realised_volatility_it_still_learns(rows: LabelledRows) -> None:
    part = rows.slice(0, 1_500)
    fitted = new_model().fit(part.features, part.returns)
    assert np.isfinite(fitted.predict(part.features)).all()


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_pinball_loss_is_least_at_the_outcome(outcome: float, forecast: float) -> None:
    own = pinball_losses(np.array([outcome]), np.full((1, 3), outcome), LEVELS)[0]
    other = pinball_losses(np.array([outcome]), np.full((1, 3), forecast), LEVELS)[0]
    assert own == 0.0 <= other


def test_pinball_loss_matches_the_formula_by_hand() -> None:
    losses = pinball_losses(np.array([1.0]), np.array([[0.0, 2.0, 3.0]]), LEVELS)
    assert losses[0] == pytest.approx((0.1 * 1.0 + 0.5 * 1.0 + 0.1 * 2.0) / 3)


@given(st.integers(600, 30_000), st.integers(2, 8), st.integers(1, 30), st.integers(0, 30))
def test_no_test_outcome_overlaps_training(
    count: int, folds: int, horizon: int, embargo: int
) -> None:
    spec = EvaluationSpec(folds=folds, purge=1, embargo=embargo)
    splits = list(split_folds(count, spec, horizon))
    assert len(splits) == folds
    assert splits[-1].test_stop == count
    for fold in splits:
        assert fold.test_start - fold.train_stop >= horizon + embargo
        assert fold.train_stop > 0
    assert all(a.test_stop == b.test_start for a, b in pairwise(splits))


def test_too_few_rows_for_folds_are_refused() -> None:
    with pytest.raises(InsufficientData):
        list(split_folds(60, EvaluationSpec(), 15))


def test_walk_forward_scores_every_fold_beside_both_benchmarks(rows: LabelledRows) -> None:
    spec = EvaluationSpec(folds=2, purge=HORIZON, embargo=0)
    evaluation = evaluate_walk_forward(rows, new_model, spec, HORIZON)
    assert len(evaluation.folds) == 2
    assert evaluation.overall.rows == sum(fold.rows for fold in evaluation.folds)
    assert evaluation.times.is_monotonic_increasing
    assert {"skill_static", "skill_ewma", "coverage"} <= set(evaluation.overall.metrics())
    assert fold_figure(evaluation).axes


def test_figures_are_drawn_for_unseen_rows(model: QuantileForecaster, rows: LabelledRows) -> None:
    test = rows.slice(2_800 + HORIZON)
    figures = holdout_figures(test, model.predict(test.features), LEVELS)
    assert set(figures) == {"calibration", "forecast_fan"}


def test_comparison_rows_are_kept_from_training(rows: LabelledRows) -> None:
    spec = load_spec_from_config("krw_btc_1m", {"evaluation": {"comparison_rows": 500}})
    split = split_rows(rows, spec)
    assert len(split.comparison) == 500
    apart = split.comparison.times[0] - split.training.times[-1]
    assert apart > pd.Timedelta(minutes=spec.horizon)


def test_a_model_is_not_better_than_itself(model: QuantileForecaster, rows: LabelledRows) -> None:
    unseen = rows.slice(2_800)
    losses = pinball_losses(unseen.returns, model.predict(unseen.features), LEVELS)
    comparison = compare_pairs(paired(unseen, losses, losses), HORIZON, 0.05)
    assert comparison is not None
    assert comparison.verdict.verdict is Verdict.NOT_ENOUGH_EVIDENCE
    assert comparison.words.startswith("cannot be judged: both lost the same on each of 955 rows")
    assert {group.name for group in comparison.verdict.groups} == {
        "KRW-BTC calm",
        "KRW-BTC normal",
        "KRW-BTC turbulent",
    }


def test_without_common_rows_there_is_nothing_to_compare(rows: LabelledRows) -> None:
    empty = np.empty(0)
    assert compare_pairs(paired(rows.slice(0, 0), empty, empty), HORIZON, 0.05) is None


def paired(rows: LabelledRows, champion: np.ndarray, challenger: np.ndarray) -> pa.Table:
    return pa.table(
        {
            "market": ["KRW-BTC"] * len(rows),
            "candle_date_time_utc": rows.times.to_pydatetime().tolist(),
            "champion_loss": champion,
            "challenger_loss": challenger,
            "spread": rows.features["volatility"].to_numpy(),
            "is_live": [True] * len(rows),
        }
    )


def test_the_content_hash_tells_data_apart(rows: LabelledRows) -> None:
    assert content_hash(rows) == content_hash(rows.slice(0))
    assert content_hash(rows) != content_hash(rows.slice(1))


@pytest.fixture(scope="module")
def timeless(rows: LabelledRows) -> LabelledRows:
    """Two days say nothing about weekdays, but a line would follow them."""
    return replace(rows, features=rows.features.drop(columns=list(CALENDAR)))


@pytest.fixture(scope="module", params=["linear", "blend", "lightgbm"])
def other(request: pytest.FixtureRequest, timeless: LabelledRows) -> QuantileForecaster:
    """A model of another kind of learner."""
    if request.param == "lightgbm":
        pytest.importorskip("lightgbm", reason="the extra lightgbm is not installed")
    part = timeless.slice(0, 2_800)
    fitted = QuantileForecaster(
        horizon=HORIZON, kind=request.param, scale_iter=30, quantile_iter=10
    )
    return fitted.fit(part.features, part.returns, part.realised)


def test_every_learner_has_skill_and_coverage_and_survives_skops(
    other: QuantileForecaster, timeless: LabelledRows
) -> None:
    test = timeless.slice(2_800 + HORIZON)
    x = test.features
    forecast = other.predict(x)
    scores = score(test.returns, forecast, other.predict_static(x), other.predict_ewma(x), LEVELS)
    assert scores.skill_static > 0.02
    assert scores.coverage == pytest.approx(0.8, abs=0.08)
    assert (np.diff(forecast, axis=1) >= 0.0).all()
    stored = skops.io.dumps(other)
    types = skops.io.get_untrusted_types(data=stored)
    assert all(name.startswith(("sklearn.", "numpy.", "appliance.pipelines.")) for name in types)
    np.testing.assert_array_equal(skops.io.loads(stored, trusted=types).predict(x), forecast)


def test_a_missing_extra_is_named(rows: LabelledRows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(ConfigError) as raised:
        QuantileForecaster(horizon=HORIZON, kind="lightgbm").fit(rows.features, rows.returns)
    assert "--extra lightgbm" in raised.value.hint


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_smoothed_quantile_regression_agrees_with_the_linear_program(level: float) -> None:
    generator = np.random.default_rng(3)
    x = generator.normal(size=(2_000, 3))
    y = 1.0 + x @ [0.5, -1.0, 0.0] + (1.0 + 0.3 * np.abs(x[:, 0])) * generator.standard_t(5, 2_000)
    exact = QuantileRegressor(quantile=level, alpha=0.0, solver="highs").fit(x, y)
    design = np.column_stack([np.ones(len(x)), x])
    smooth = smoothed_quantile(design, y, level, penalty=0.0)

    def loss(forecast: np.ndarray) -> float:
        return float(pinball_losses(y, forecast[:, None], (level,)).mean())

    assert loss(design @ smooth) < 1.005 * loss(exact.predict(x))


def test_calibration_shifts_a_learner_that_is_wrong(rows: LabelledRows) -> None:
    """The spread doubles after the rows that are learnt from at first."""
    part = rows.slice(0, 2_800)
    returns = part.returns * np.where(np.arange(2_800) < 2_100, 1.0, 3.0)
    fitted = new_model().fit(part.features, returns, part.realised)
    assert fitted.shifts_[0] < -0.2
    assert fitted.shifts_[2] > 0.2
