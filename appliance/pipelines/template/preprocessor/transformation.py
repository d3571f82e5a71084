"""Candles to the rows that the model learns from and forecasts: the one code path for both."""

from __future__ import annotations

import pandas as pd

from appliance.pipelines.forecasting.loader.candle_loader import CandleWindow
from appliance.pipelines.forecasting.preprocessor.labels import known_rows
from appliance.pipelines.forecasting.preprocessor.preprocess import derive_series
from appliance.pipelines.template.configs.template_spec import (
    TemplateSpec,
)
from appliance.pipelines.template.preprocessor.data_preparation import (
    own_grid,
)
from appliance.pipelines.template.preprocessor.feature_engineering import (
    engineer_features,
    feature_names,
)
from appliance.pipelines.template.preprocessor.preprocess import (
    volatility_scale,
)


def compute_rows(window: CandleWindow, spec: TemplateSpec) -> pd.DataFrame:
    """Return the prepared rows of a window of candles.

    Returns:
        Columns candle_date_time_utc, close, then the features; only rows where all are known.
    """
    series = derive_series(own_grid(window, spec.unit))
    scale = volatility_scale(series, spec.features)
    features = engineer_features(series, scale, spec.features)
    names = feature_names(spec.features)
    return known_rows(series, features, names, spec.features.lookback(spec.unit))
