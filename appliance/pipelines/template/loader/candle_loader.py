"""The stored candles that rows are computed from: of the own market and of `cross_markets`."""

from appliance.pipelines.forecasting.loader.candle_loader import load_window

__all__ = ["load_window"]
