"""Inference workflow: forecasts of new candles, outcomes of matured ones."""

from appliance.pipelines.forecasting.core.inference import forecast_candles, join_outcomes

__all__ = ["forecast_candles", "join_outcomes"]
