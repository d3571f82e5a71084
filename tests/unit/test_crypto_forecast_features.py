"""Features know the past only, and are the same however they are computed."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.config.settings import ProjectSettings, Settings
from appliance.domain.candle import Gap
from appliance.errors import ConfigError
from appliance.pipelines.crypto_forecast.configs.crypto_spec import FeatureSpec
from appliance.pipelines.crypto_forecast.preprocessor.feature_engineering import feature_names
from appliance.pipelines.crypto_forecast.preprocessor.transformation import compute_rows
from appliance.pipelines.forecasting.preprocessor.data_preparation import (
    MarketCandles,
    aggregate_grid,
    prepare_grid,
)
from appliance.pipelines.forecasting.preprocessor.labels import TIME, label_rows, to_arrow, to_frame
from appliance.pipelines.forecasting.preprocessor.preprocess import (
    moving_average,
    seasonal_mean,
    windowed_mean,
)
from appliance.pipelines.spec import describe_project
from tests.fakes.market import ORIGIN, synthetic_candles, without_rows

SPEC = FeatureSpec(half_lives=(3, 6, 12), scale_half_life=6, return_lags=(1, 5))
CROSSED = FeatureSpec(
    half_lives=(3, 6, 12),
    scale_half_life=6,
    return_lags=(1, 5),
    lags=(1, 7),
    seasons=((20, 3),),
    season_span=5,
    cross_markets=("KRW-ETH",),
    cross_timeframes=(5, 15),
    cross_half_lives=(1, 2),
    truncation=3,
)
ROWS = 300
MINUTE = timedelta(minutes=1)


def gap(first: int, last: int) -> Gap:
    return Gap("KRW-BTC", 1, ORIGIN + first * MINUTE, ORIGIN + last * MINUTE)


def assert_same(actual: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(
        actual.reset_index(drop=True), expected.reset_index(drop=True), rtol=1e-11, atol=1e-14
    )


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    cut=st.integers(SPEC.lookback(1) + 5, ROWS),
    idle=st.sets(st.integers(1, ROWS - 2), max_size=40),
)
def test_truncating_the_future_changes_no_feature(seed: int, cut: int, idle: set[int]) -> None:
    candles = without_rows(synthetic_candles(ROWS, seed), sorted(idle))
    cut_at = ORIGIN + cut * MINUTE
    known = candles[candles[TIME] < cut_at]
    whole = compute_rows(candles, [], 1, SPEC)
    truncated = compute_rows(known, [], 1, SPEC, cut_at)
    assert_same(truncated, whole[whole[TIME] < cut_at])


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    first=st.integers(SPEC.lookback(1) + 60, ROWS - 1),
    idle=st.sets(st.integers(1, ROWS - 2), max_size=40),
)
def test_rows_computed_from_their_look_back_equal_rows_computed_from_all(
    seed: int, first: int, idle: set[int]
) -> None:
    candles = without_rows(synthetic_candles(ROWS, seed), sorted(idle))
    first_at = ORIGIN + first * MINUTE
    whole = compute_rows(candles, [], 1, SPEC)
    tail = candles.tail(ROWS - first + SPEC.lookback(1) + 1)
    alone = compute_rows(tail, [], 1, SPEC)
    assert_same(alone[alone[TIME] >= first_at], whole[whole[TIME] >= first_at])


def crossed(
    candles: pd.DataFrame, other: pd.DataFrame, end_at: datetime | None = None
) -> pd.DataFrame:
    others = {"KRW-ETH": MarketCandles(other, [])}
    return compute_rows(candles, [], 1, CROSSED, end_at, others)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    cut=st.integers(CROSSED.lookback(1) + 5, ROWS),
    idle=st.sets(st.integers(1, ROWS - 2), max_size=40),
)
def test_truncating_the_future_changes_no_cross_feature(
    seed: int, cut: int, idle: set[int]
) -> None:
    candles = without_rows(synthetic_candles(ROWS, seed), sorted(idle))
    other = without_rows(synthetic_candles(ROWS, seed + 1), sorted(idle)[::2])
    cut_at = ORIGIN + cut * MINUTE
    whole = crossed(candles, other)
    truncated = crossed(candles[candles[TIME] < cut_at], other[other[TIME] < cut_at], cut_at)
    assert len(truncated) > 0
    assert_same(truncated, whole[whole[TIME] < cut_at])


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    first=st.integers(CROSSED.lookback(1) + 60, ROWS - 1),
    idle=st.sets(st.integers(1, ROWS - 2), max_size=40),
)
def test_cross_rows_computed_from_their_look_back_equal_rows_computed_from_all(
    seed: int, first: int, idle: set[int]
) -> None:
    candles = without_rows(synthetic_candles(ROWS, seed), sorted(idle))
    other = synthetic_candles(ROWS, seed + 1)
    count = ROWS - first + CROSSED.lookback(1) + 1
    first_at = ORIGIN + first * MINUTE
    whole, alone = crossed(candles, other), crossed(candles.tail(count), other.tail(count))
    assert_same(alone[alone[TIME] >= first_at], whole[whole[TIME] >= first_at])


def test_the_newest_wider_candle_counts_from_its_close_on() -> None:
    grid = prepare_grid(synthetic_candles(40).iloc[3:], [], 1)
    wider, known = aggregate_grid(grid, 1, 5)
    for row, at in enumerate(grid.index):
        closed = wider.index[wider.index + 5 * MINUTE <= at + MINUTE]
        assert known[row] == len(closed) - 1
    first = grid.loc[wider.index[0] : wider.index[0] + 4 * MINUTE]
    assert wider["open"].iloc[0] == first["open"].iloc[0]
    assert wider["high"].iloc[0] == first["high"].max()
    assert wider["low"].iloc[0] == first["low"].min()
    assert wider["close"].iloc[0] == first["close"].iloc[-1]
    assert wider["volume"].iloc[0] == pytest.approx(first["volume"].sum())


def test_a_row_needs_the_other_market_too() -> None:
    candles, other = synthetic_candles(ROWS), synthetic_candles(ROWS, 2)
    unknown = [gap(250, 255)]
    holed = MarketCandles(without_rows(other, range(250, 255)), unknown)
    rows = compute_rows(candles, [], 1, CROSSED, None, {"KRW-ETH": holed})
    times = set(rows[TIME])
    assert not any(ORIGIN + i * MINUTE in times for i in range(250, 260))
    assert ORIGIN + 249 * MINUTE in times
    assert ORIGIN + 260 * MINUTE in times


def test_cross_features_follow_the_other_market_and_not_the_own() -> None:
    candles = synthetic_candles(ROWS)
    calm, wild = synthetic_candles(ROWS, 5), synthetic_candles(ROWS, 5, volatility=5e-3)
    low, high = crossed(candles, calm), crossed(candles, wild)
    assert (high["KRW-ETH_volatility"] > low["KRW-ETH_volatility"] + 0.5).all()
    own = [name for name in low if not str(name).startswith("KRW-ETH")]
    assert_same(low[own], high[own])


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ({"cross_timeframes": [90]}, "cross_timeframes"),
        ({"cross_timeframes": [1]}, "multiples"),
        ({"cross_markets": ["KRW-BTC"]}, "KRW-BTC itself"),
        ({"half_lives": [60, 15]}, "ascend"),
    ],
)
def test_cross_features_that_make_no_sense_are_refused(
    features: dict[str, object], words: str
) -> None:
    project = ProjectSettings(config="krw_btc_1m", overrides={"features": features})
    with pytest.raises(ConfigError) as raised:
        describe_project(Settings(projects={"crypto_forecast": project}), "crypto_forecast")
    assert words in raised.value.message


@pytest.mark.parametrize("spec", [SPEC, CROSSED])
def test_all_features_are_there_and_finite(spec: FeatureSpec) -> None:
    others = {"KRW-ETH": MarketCandles(synthetic_candles(ROWS, 3), [])}
    rows = compute_rows(synthetic_candles(ROWS), [], 1, spec, None, others)
    assert list(rows.columns) == [TIME, "close", *feature_names(spec)]
    assert len(rows) == ROWS - spec.lookback(1) + 1
    assert np.isfinite(rows.drop(columns=TIME).to_numpy()).all()


def test_the_fewest_features_are_finite() -> None:
    rows = compute_rows(synthetic_candles(ROWS), [], 1, SPEC)
    assert len(rows) == ROWS - SPEC.lookback(1) + 1
    assert np.isfinite(rows.drop(columns=TIME).to_numpy()).all()


def test_a_minute_without_a_trade_keeps_the_close_and_has_no_volume() -> None:
    grid = prepare_grid(without_rows(synthetic_candles(10), [4]), [], 1)
    assert grid["close"].iloc[4] == grid["close"].iloc[3] == grid["high"].iloc[4]
    assert grid["volume"].iloc[4] == 0.0
    assert not grid["is_traded"].iloc[4]
    assert not grid["is_gap"].any()


def test_proven_minutes_after_the_last_candle_are_rows_too() -> None:
    grid = prepare_grid(synthetic_candles(10), [], 1, ORIGIN + 12 * MINUTE)
    assert len(grid) == 12
    assert grid["close"].iloc[-1] == grid["close"].iloc[9]


def test_an_unproven_gap_makes_no_rows_and_spoils_what_reaches_across() -> None:
    candles = without_rows(synthetic_candles(ROWS), range(200, 205))
    rows = compute_rows(candles, [gap(200, 205)], 1, SPEC)
    times = set(rows[TIME])
    reach = max(SPEC.return_lags)
    assert not any(ORIGIN + i * MINUTE in times for i in range(200, 205 + reach))
    assert ORIGIN + (205 + reach) * MINUTE in times
    assert ORIGIN + 199 * MINUTE in times


def test_a_market_that_stands_still_divides_by_nothing() -> None:
    candles = synthetic_candles(ROWS)
    still = candles.assign(open=100.0, high=100.0, low=100.0, close=100.0, volume=0.0)
    rows = compute_rows(still, [], 1, SPEC)
    assert len(rows) == ROWS - SPEC.lookback(1) + 1
    assert np.isfinite(rows.drop(columns=TIME).to_numpy()).all()


def test_labels_are_returns_over_the_horizon() -> None:
    candles = synthetic_candles(ROWS)
    rows = compute_rows(candles, [], 1, SPEC)
    labelled = label_rows(rows, 1, 5)
    assert len(labelled) == len(rows) - 5
    position = SPEC.lookback(1) - 1
    close = candles["close"].to_numpy()
    assert labelled.returns[0] == pytest.approx(np.log(close[position + 5] / close[position]))
    steps = np.diff(np.log(close[position : position + 6]))
    assert labelled.realised[0] == pytest.approx(np.sqrt((steps**2).sum()))
    assert labelled.close[0] == close[position]


def test_rows_before_a_gap_have_no_label() -> None:
    candles = without_rows(synthetic_candles(ROWS), range(200, 205))
    rows = compute_rows(candles, [gap(200, 205)], 1, SPEC)
    labelled = label_rows(rows, 1, 5)
    assert pd.Timestamp(ORIGIN + 195 * MINUTE) not in labelled.times
    assert pd.Timestamp(ORIGIN + 194 * MINUTE) in labelled.times


def test_rows_survive_arrow() -> None:
    rows = compute_rows(synthetic_candles(ROWS), [], 1, SPEC)
    assert_same(to_frame(to_arrow(rows)), rows)


def test_a_truncated_average_halves_with_its_half_life() -> None:
    values = np.zeros(40)
    values[20] = 1.0
    average = moving_average(values, 4, 4)
    assert average[24] == pytest.approx(average[20] / 2)
    assert average[36] == 0.0
    assert np.isnan(average[14])


@given(length=st.integers(1, 70), decay=st.floats(0.5, 1.0), seed=st.integers(0, 99))
def test_a_windowed_mean_is_the_weighted_mean_of_the_known_rows(
    length: int, decay: float, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    values = np.where(generator.random(90) < 0.2, np.nan, generator.normal(size=90))
    mean = windowed_mean(values, length, decay)
    for row in range(90):
        window = values[max(row - length + 1, 0) : row + 1][::-1]
        weights = decay ** np.arange(window.size)
        known = np.isfinite(window)
        if row < length - 1 or weights[known].sum() < 0.499 * weights.sum():
            assert np.isnan(mean[row])
        elif weights[known].sum() > 0.501 * weights.sum():
            expected = (weights[known] * window[known]).sum() / weights[known].sum()
            assert mean[row] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_a_seasonal_mean_looks_at_what_followed_in_earlier_cycles() -> None:
    values = np.arange(60.0) ** 2
    mean = seasonal_mean(values, 20, 2, 3)
    assert np.isnan(mean[:39]).all()
    followed = [values[45 - 20 * cycle + step] for cycle in (1, 2) for step in (1, 2, 3)]
    assert mean[45] == pytest.approx(np.mean(followed))
