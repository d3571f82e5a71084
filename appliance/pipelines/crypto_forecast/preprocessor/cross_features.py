"""Features from other markets and from wider timeframes; neither looks ahead."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from appliance.pipelines.crypto_forecast.configs.crypto_spec import FeatureSpec
from appliance.pipelines.forecasting.preprocessor.data_preparation import aggregate_grid
from appliance.pipelines.forecasting.preprocessor.preprocess import (
    derive_series,
    moving_volatility,
    trailing_return,
)

Vector = NDArray[np.float64]


def cross_names(spec: FeatureSpec) -> list[str]:
    """Return the names of the features that need more than the own candles."""
    markets = [
        f"{market}_{name}"
        for market in spec.cross_markets
        for name in (*(f"return_{lag}" for lag in spec.return_lags), "volatility", "range")
    ]
    wider = [
        f"{width}m_{name}"
        for width in spec.cross_timeframes
        for name in (
            "return",
            *(f"volatility_{length}" for length in spec.cross_half_lives),
            *(f"garman_klass_{length}" for length in spec.cross_half_lives),
        )
    ]
    return [*markets, *wider]


def market_features(
    times: pd.DatetimeIndex, scale: Vector, others: Mapping[str, pd.DataFrame], spec: FeatureSpec
) -> dict[str, Vector]:
    """Return the features of other markets at `times`, NaN where the other market is unknown.

    Args:
        times: opening times of the own rows.
        scale: own EWMA volatility, shape (rows,).
        others: grids of the same candle width by market; each market of the spec.
        spec: which features.
    """
    features: dict[str, Vector] = {}
    for market in spec.cross_markets:
        series = derive_series(others[market])
        squares, half_life = series.returns**2, spec.scale_half_life
        volatility = moving_volatility(squares, half_life, spec.truncation)
        ranges = moving_volatility(series.garman_klass, half_life, spec.truncation)
        own = {
            f"{market}_return_{lag}": trailing_return(series, lag) / (volatility * np.sqrt(lag))
            for lag in spec.return_lags
        }
        for name, values in own.items():
            features[name] = _at(times, series.times, values)
        features[f"{market}_volatility"] = np.log(_at(times, series.times, volatility) / scale)
        features[f"{market}_range"] = np.log(_at(times, series.times, ranges) / scale)
    return features


def timeframe_features(
    grid: pd.DataFrame, unit: int, scale: Vector, spec: FeatureSpec
) -> dict[str, Vector]:
    """Return the features of wider timeframes, of candles that had closed when the row's had.

    Volatilities are per root of a candle of `unit` minutes and relative to `scale`.
    """
    features: dict[str, Vector] = {}
    for width in spec.cross_timeframes:
        wider, known = aggregate_grid(grid, unit, width)
        series, root = derive_series(wider), np.sqrt(width / unit)
        features[f"{width}m_return"] = _known(series.returns, known) / (scale * root)
        for name, values in (
            ("volatility", series.returns**2),
            ("garman_klass", series.garman_klass),
        ):
            for length in spec.cross_half_lives:
                volatility = moving_volatility(values, length, spec.truncation) / root
                features[f"{width}m_{name}_{length}"] = np.log(_known(volatility, known) / scale)
    return features


def _known(values: Vector, positions: NDArray[np.int64]) -> Vector:
    return np.concatenate(([np.nan], values))[positions + 1]


def _at(times: pd.DatetimeIndex, known: pd.DatetimeIndex, values: Vector) -> Vector:
    position = known.get_indexer(times)
    return np.where(position >= 0, values[position], np.nan)
