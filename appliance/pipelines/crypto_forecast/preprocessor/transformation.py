"""Candles to the rows that models learn from and forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
import pandas as pd

from appliance.domain.candle import Gap
from appliance.pipelines.crypto_forecast.configs.crypto_spec import CryptoSpec, FeatureSpec
from appliance.pipelines.crypto_forecast.preprocessor.cross_features import (
    market_features,
    timeframe_features,
)
from appliance.pipelines.crypto_forecast.preprocessor.feature_engineering import (
    engineer_features,
    feature_names,
    volatility_scale,
)
from appliance.pipelines.forecasting.loader.candle_loader import CandleWindow
from appliance.pipelines.forecasting.preprocessor.data_preparation import (
    MarketCandles,
    prepare_grid,
)
from appliance.pipelines.forecasting.preprocessor.labels import TIME
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
    grid = prepare_grid(candles, gaps, unit, end_at)
    series = derive_series(grid)
    scale = volatility_scale(series, spec)
    own_end_at = (grid.index[-1] + pd.Timedelta(minutes=unit)).to_pydatetime()
    grids = {
        market: prepare_grid(other.candles, other.gaps, unit, own_end_at)
        for market, other in (others or {}).items()
    }
    columns = {
        **engineer_features(series, scale, spec),
        **market_features(series.times, scale, grids, spec),
        **timeframe_features(grid, unit, scale, spec),
    }
    features = pd.DataFrame(columns, index=series.times)[feature_names(spec)]
    features.iloc[: spec.lookback(unit) - 1] = np.nan
    features.insert(0, "close", series.close)
    is_known = np.isfinite(features.to_numpy()).all(axis=1)
    known: pd.DataFrame = features[is_known].reset_index(names=TIME)
    return known
