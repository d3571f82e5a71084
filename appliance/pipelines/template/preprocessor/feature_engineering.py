"""Features of a candle, from it and the candles before it only."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from appliance.pipelines.forecasting.preprocessor.preprocess import (
    Series,
    moving_average,
    moving_volatility,
    trailing_return,
)
from appliance.pipelines.template.configs.template_spec import (
    TRUNCATION,
    FeatureSpec,
)

Vector = NDArray[np.float64]

VOLATILITY = "volatility"
"""The feature that scales forecasts: EWMA volatility of one candle's log return."""

CALENDAR = ("hour_sin", "hour_cos")
"""Features that say when it is; they cannot drift."""


def feature_names(spec: FeatureSpec) -> list[str]:
    """Return the names of the features in stored order."""
    return [
        VOLATILITY,
        *(f"return_{lag}" for lag in spec.return_lags),
        *(f"volatility_{length}" for length in _other_half_lives(spec)),
        *(f"volume_{length}" for length in spec.half_lives),
        "range_now",
        *CALENDAR,
    ]


def engineer_features(series: Series, scale: Vector, spec: FeatureSpec) -> dict[str, Vector]:
    """Return the features by name, shape (rows,) each, NaN where a row cannot be known.

    `scale` is the volatility of `volatility_scale`; whatever is relative to it means the same in
    a calm and in a turbulent market.
    """
    squares, volume = series.returns**2, np.log1p(series.volume)
    features = {VOLATILITY: scale, "range_now": series.span / scale, **_calendar(series.times)}
    for lag in spec.return_lags:
        features[f"return_{lag}"] = trailing_return(series, lag) / (scale * np.sqrt(lag))
    for length in _other_half_lives(spec):
        volatility = moving_volatility(squares, length, TRUNCATION)
        features[f"volatility_{length}"] = np.log(volatility / scale)
    for length in spec.half_lives:
        features[f"volume_{length}"] = volume - moving_average(volume, length, TRUNCATION)
    return features


def _other_half_lives(spec: FeatureSpec) -> list[int]:
    """Return those besides the scale's own, whose volatility relative to the scale is always one."""
    return [length for length in spec.half_lives if length != spec.scale_half_life]


def _calendar(times: pd.DatetimeIndex) -> dict[str, Vector]:
    angle = 2.0 * np.pi * (times.hour + times.minute / 60.0) / 24.0
    waves = (np.sin(angle), np.cos(angle))
    return {name: np.asarray(wave) for name, wave in zip(CALENDAR, waves, strict=True)}
