"""Features know the past only, and are the same however they are computed."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.domain.candle import Gap
from appliance.pipelines.crypto_forecast.configs.forecast_spec import FeatureSpec
from appliance.pipelines.crypto_forecast.preprocessor.data_preparation import prepare_grid
from appliance.pipelines.crypto_forecast.preprocessor.feature_engineering import feature_names
from appliance.pipelines.crypto_forecast.preprocessor.preprocess import moving_average
from appliance.pipelines.crypto_forecast.preprocessor.transformation import (
    TIME,
    compute_rows,
    label_rows,
    to_arrow,
    to_frame,
)
from tests.fakes.market import ORIGIN, synthetic_candles, without_rows

SPEC = FeatureSpec(half_lives=(3, 6, 12), scale_half_life=6, return_lags=(1, 5))
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
    cut=st.integers(SPEC.lookback + 5, ROWS),
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
    first=st.integers(SPEC.lookback + 60, ROWS - 1),
    idle=st.sets(st.integers(1, ROWS - 2), max_size=40),
)
def test_rows_computed_from_their_look_back_equal_rows_computed_from_all(
    seed: int, first: int, idle: set[int]
) -> None:
    candles = without_rows(synthetic_candles(ROWS, seed), sorted(idle))
    first_at = ORIGIN + first * MINUTE
    whole = compute_rows(candles, [], 1, SPEC)
    tail = candles.tail(ROWS - first + SPEC.lookback + 1)
    alone = compute_rows(tail, [], 1, SPEC)
    assert_same(alone[alone[TIME] >= first_at], whole[whole[TIME] >= first_at])


def test_all_features_are_there_and_finite() -> None:
    rows = compute_rows(synthetic_candles(ROWS), [], 1, SPEC)
    assert list(rows.columns) == [TIME, "close", *feature_names(SPEC)]
    assert len(rows) == ROWS - SPEC.lookback + 1
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
    assert len(rows) == ROWS - SPEC.lookback + 1
    assert np.isfinite(rows.drop(columns=TIME).to_numpy()).all()


def test_labels_are_returns_over_the_horizon() -> None:
    candles = synthetic_candles(ROWS)
    rows = compute_rows(candles, [], 1, SPEC)
    labelled = label_rows(rows, 1, 5)
    assert len(labelled) == len(rows) - 5
    position = SPEC.lookback - 1
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
