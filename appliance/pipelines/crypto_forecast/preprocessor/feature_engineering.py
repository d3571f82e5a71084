"""Features of a candle, from it and the candles before it only."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from appliance.pipelines.crypto_forecast.configs.crypto_spec import FeatureSpec
from appliance.pipelines.crypto_forecast.preprocessor.cross_features import cross_names
from appliance.pipelines.forecasting.preprocessor.preprocess import (
    Series,
    lagged,
    log_ratio,
    moving_average,
    moving_volatility,
    seasonal_mean,
    trailing_return,
    windowed_mean,
)

Vector = NDArray[np.float64]

VOLATILITY = "volatility"
"""The feature that scales returns and forecasts: EWMA volatility of one candle's log return."""

CALENDAR = ("hour_sin", "hour_cos", "half_day_sin", "half_day_cos", "weekday_sin", "weekday_cos")
"""Features that say when it is; they cannot drift."""


def feature_names(spec: FeatureSpec) -> list[str]:
    """Return the names of the features in stored order."""
    return [
        VOLATILITY,
        *(f"return_{lag}" for lag in spec.return_lags),
        *(f"volatility_{length}" for length in _own_half_lives(spec)),
        *(f"parkinson_{length}" for length in spec.half_lives),
        *(f"garman_klass_{length}" for length in spec.half_lives),
        *(f"season_{period}" for period, _ in spec.seasons),
        "range_now",
        "downside",
        *(f"volume_{length}" for length in spec.half_lives[:-1]),
        "volume_now",
        "value_trend",
        "idle",
        *(f"{name}_lag_{lag}" for lag in spec.lags for name in ("move", "volume")),
        *cross_names(spec),
        *CALENDAR,
    ]


def engineer_features(series: Series, scale: Vector, spec: FeatureSpec) -> dict[str, Vector]:
    """Return the features of the own candles by name, NaN where a row cannot be known.

    `scale` is `volatility_scale` of the same series.
    """
    volumes = _volumes(series, spec)
    return {
        VOLATILITY: scale,
        **_returns(series, scale, spec),
        **_volatilities(series, scale, spec),
        **_seasons(series, spec),
        **volumes,
        **_lags(series, scale, volumes["volume_now"], spec),
        **_calendar(series.times),
    }


def _own_half_lives(spec: FeatureSpec) -> list[int]:
    return [length for length in spec.half_lives if length != spec.scale_half_life]


def _returns(series: Series, scale: Vector, spec: FeatureSpec) -> dict[str, Vector]:
    return {
        f"return_{lag}": trailing_return(series, lag) / (scale * np.sqrt(lag))
        for lag in spec.return_lags
    }


def _volatilities(series: Series, scale: Vector, spec: FeatureSpec) -> dict[str, Vector]:
    squares = series.returns**2
    middle = spec.half_lives[len(spec.half_lives) // 2]
    falls = np.where(series.returns < 0.0, squares, series.returns * 0.0)
    fallen = moving_volatility(falls, middle, spec.truncation)
    moved = moving_volatility(squares, middle, spec.truncation)
    named: dict[str, tuple[Vector, list[int]]] = {
        "volatility": (squares, _own_half_lives(spec)),
        "parkinson": (series.parkinson, list(spec.half_lives)),
        "garman_klass": (series.garman_klass, list(spec.half_lives)),
    }
    ratios = {
        f"{name}_{length}": np.log(moving_volatility(values, length, spec.truncation) / scale)
        for name, (values, lengths) in named.items()
        for length in lengths
    }
    return {**ratios, "range_now": series.span / scale, "downside": (fallen / moved) ** 2}


def _seasons(series: Series, spec: FeatureSpec) -> dict[str, Vector]:
    """Mean squared return after the same time of earlier cycles, against that of all candles since."""
    squares = series.returns**2
    features: dict[str, Vector] = {}
    for period, cycles in spec.seasons:
        then = seasonal_mean(squares, period, cycles, spec.season_span)
        usual = windowed_mean(squares, period * cycles)
        features[f"season_{period}"] = log_ratio(np.sqrt(then), np.sqrt(usual))
    return features


def _volumes(series: Series, spec: FeatureSpec) -> dict[str, Vector]:
    *shorter, long = spec.half_lives
    middle = spec.half_lives[len(spec.half_lives) // 2]
    usual = moving_average(series.volume, long, spec.truncation)
    features = {
        f"volume_{length}": _relative(moving_average(series.volume, length, spec.truncation), usual)
        for length in shorter
    }
    features["volume_now"] = _relative(series.volume, usual)
    features["value_trend"] = _relative(
        moving_average(series.value, spec.half_lives[0], spec.truncation),
        moving_average(series.value, middle, spec.truncation),
    )
    features["idle"] = moving_average(series.is_idle, middle, spec.truncation)
    return features


def _lags(
    series: Series, scale: Vector, volume_now: Vector, spec: FeatureSpec
) -> dict[str, Vector]:
    features: dict[str, Vector] = {}
    for lag in spec.lags:
        features[f"move_lag_{lag}"] = np.abs(lagged(series.returns, lag)) / scale
        features[f"volume_lag_{lag}"] = lagged(volume_now, lag)
    return features


def _relative(volume: Vector, usual: Vector) -> Vector:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(usual > 0.0, volume / usual, usual * 0.0)
    return np.asarray(np.log1p(ratio), dtype=np.float64)


def _calendar(times: pd.DatetimeIndex) -> dict[str, Vector]:
    hour = 2.0 * np.pi * (times.hour + times.minute / 60.0) / 24.0
    weekday = 2.0 * np.pi * (times.day_of_week + times.hour / 24.0) / 7.0
    values = [wave(angle) for angle in (hour, 2.0 * hour, weekday) for wave in (np.sin, np.cos)]
    return {
        name: np.asarray(value, dtype=np.float64)
        for name, value in zip(CALENDAR, values, strict=True)
    }
