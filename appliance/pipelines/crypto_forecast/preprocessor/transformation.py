"""Candles to the rows that models learn from and forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import pandas as pd

from appliance.domain.candle import Gap
from appliance.pipelines.crypto_forecast.configs.crypto_spec import CryptoSpec, FeatureSpec
from appliance.pipelines.crypto_forecast.preprocessor.cross_features import (
    market_features,
    timeframe_features,
)
from appliance.pipelines.crypto_forecast.preprocessor.data_preparation import prepare_grids
from appliance.pipelines.crypto_forecast.preprocessor.feature_engineering import (
    engineer_features,
    feature_names,
)
from appliance.pipelines.crypto_forecast.preprocessor.preprocess import volatility_scale
from appliance.pipelines.forecasting.loader.candle_loader import CandleWindow
from appliance.pipelines.forecasting.preprocessor.data_preparation import MarketCandles
from appliance.pipelines.forecasting.preprocessor.labels import known_rows
from appliance.pipelines.forecasting.preprocessor.preprocess import derive_series


def window_rows(window: CandleWindow, spec: CryptoSpec) -> pd.DataFrame:
    """Return the prepared rows of a window of stored candles, as `compute_rows`."""
    own = window.own
    return compute_rows(
        own.candles, own.gaps, spec.unit, spec.features, window.end_at, others=window.others
    )


def compute_rows(
    candles: pd.DataFrame,
    gaps: Sequence[Gap],
    unit: int,
    spec: FeatureSpec,
    end_at: datetime | None = None,
    others: Mapping[str, MarketCandles] | None = None,
) -> pd.DataFrame:
    """Return prepared rows of candles: the one code path of training and inference.

    Args:
        candles: of the own market, as `prepare_grid` takes them.
        gaps: between them.
        unit: candle width in minutes.
        spec: which features.
        end_at: instant up to which absent candles are proven empty or named in gaps.
        others: candles of the markets in `spec.cross_markets`, known up to the same `end_at`.

    Returns:
        Columns candle_date_time_utc, close, then the features; only rows where all are known.
    """
    grid, grids = prepare_grids(candles, gaps, unit, end_at, others or {})
    series = derive_series(grid)
    scale = volatility_scale(series, spec)
    columns = {
        **engineer_features(series, scale, spec),
        **market_features(series.times, scale, grids, spec),
        **timeframe_features(grid, unit, scale, spec),
    }
    return known_rows(series, columns, feature_names(spec), spec.lookback(unit))
