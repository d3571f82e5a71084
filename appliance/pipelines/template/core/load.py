"""Data workflow: the market's candles into the store."""

from appliance.pipelines.forecasting.core.load import load_candles

__all__ = ["load_candles"]
