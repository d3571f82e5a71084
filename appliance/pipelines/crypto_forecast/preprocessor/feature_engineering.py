"""Features of a candle, from it and the candles before it only."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from appliance.pipelines.crypto_forecast.configs.forecast_spec import FeatureSpec
from appliance.pipelines.crypto_forecast.preprocessor.preprocess import (
    Series,
    moving_average,
    trailing_return,
)

Vector = NDArray[np.float64]

SMALLEST_VOLATILITY = 1e-6
"""Floor of the volatility per candle: a market that stands still must not divide by zero."""

VOLATILITY = "volatility"
"""The feature that scales returns and forecasts: EWMA volatility of one candle's log return."""

CALENDAR = ("hour_sin", "hour_cos", "weekday_sin", "weekday_cos")
"""Features that say when it is; they cannot drift."""


def feature_names(spec: FeatureSpec) -> list[str]:
    """Return the names of the features in stored order."""
    return [
        VOLATILITY,
        *(f"return_{lag}" for lag in spec.return_lags),
        "volatility_short",
        "volatility_long",
        "range_volatility",
        "range_now",
        "downside",
        "volume_short",
        "volume_now",
        "idle",
        *CALENDAR,
    ]


def engineer_features(series: Series, spec: FeatureSpec) -> pd.DataFrame:
    """Return all features, one row per row of `series`, NaN where a row cannot be known.

    Returns:
        Columns as `feature_names`, index as `series.times`.
    """
    scale = _volatility(series, spec.scale_half_life, spec.truncation)
    columns = {
        VOLATILITY: scale,
        **_returns(series, scale, spec),
        **_volatilities(series, scale, spec),
        **_volumes(series, spec),
        **_calendar(series.times),
    }
    frame = pd.DataFrame(columns, index=series.times)[feature_names(spec)]
    frame.iloc[: spec.lookback - 1] = np.nan
    frame.loc[~np.isfinite(series.close)] = np.nan
    return frame


def _volatility(series: Series, half_life: int, truncation: int) -> Vector:
    variance = moving_average(series.returns**2, half_life, truncation)
    return np.maximum(np.sqrt(variance), SMALLEST_VOLATILITY)


def _returns(series: Series, scale: Vector, spec: FeatureSpec) -> dict[str, Vector]:
    return {
        f"return_{lag}": trailing_return(series, lag) / (scale * np.sqrt(lag))
        for lag in spec.return_lags
    }


def _volatilities(series: Series, scale: Vector, spec: FeatureSpec) -> dict[str, Vector]:
    short, middle, long = spec.half_lives
    ranges = moving_average(series.range_variance, middle, spec.truncation)
    downside = moving_average(
        np.where(series.returns < 0.0, series.returns**2, series.returns * 0.0),
        middle,
        spec.truncation,
    )
    base = np.maximum(
        moving_average(series.returns**2, middle, spec.truncation), SMALLEST_VOLATILITY**2
    )
    return {
        "volatility_short": np.log(_volatility(series, short, spec.truncation) / scale),
        "volatility_long": np.log(_volatility(series, long, spec.truncation) / scale),
        "range_volatility": np.log(np.maximum(np.sqrt(ranges), SMALLEST_VOLATILITY) / scale),
        "range_now": series.span / scale,
        "downside": downside / base,
    }


def _volumes(series: Series, spec: FeatureSpec) -> dict[str, Vector]:
    short, middle, long = spec.half_lives
    usual = moving_average(series.volume, long, spec.truncation)
    recent = moving_average(series.volume, short, spec.truncation)
    idle = moving_average(series.is_idle, middle, spec.truncation)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(usual > 0.0, recent / usual, usual * 0.0)
        now = np.where(usual > 0.0, series.volume / usual, usual * 0.0)
    return {"volume_short": np.log1p(ratio), "volume_now": np.log1p(now), "idle": idle}


def _calendar(times: pd.DatetimeIndex) -> dict[str, Vector]:
    hour = 2.0 * np.pi * (times.hour + times.minute / 60.0) / 24.0
    weekday = 2.0 * np.pi * (times.day_of_week + times.hour / 24.0) / 7.0
    values = (np.sin(hour), np.cos(hour), np.sin(weekday), np.cos(weekday))
    return {
        name: np.asarray(value, dtype=np.float64)
        for name, value in zip(CALENDAR, values, strict=True)
    }
