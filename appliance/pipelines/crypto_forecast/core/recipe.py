"""What this project makes its own of the shared workflows."""

from __future__ import annotations

from appliance.pipelines.crypto_forecast.configs.crypto_spec import CryptoSpec
from appliance.pipelines.crypto_forecast.evaluator.metrics import own_metrics
from appliance.pipelines.crypto_forecast.loader.candle_loader import load_window
from appliance.pipelines.crypto_forecast.preprocessor.feature_engineering import (
    CALENDAR,
    feature_names,
)
from appliance.pipelines.crypto_forecast.preprocessor.transformation import window_rows
from appliance.pipelines.crypto_forecast.trainer.training import new_model
from appliance.pipelines.forecasting.recipe import Recipe

RECIPE: Recipe[CryptoSpec] = Recipe(
    feature_names=lambda spec: feature_names(spec.features),
    load_window=load_window,
    compute_rows=window_rows,
    new_model=new_model,
    own_metrics=own_metrics,
    unwatched=CALENDAR,
)
