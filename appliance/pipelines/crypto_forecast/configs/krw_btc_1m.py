"""KRW-BTC by the minute, a quarter of an hour ahead."""

from __future__ import annotations

from appliance.config.settings import Timeframe
from appliance.pipelines.crypto_forecast.configs.forecast_spec import ForecastSpec


class KrwBtc1m(ForecastSpec):
    """Two weeks of minutes; the defaults of `ForecastSpec` are made for this one."""

    market: str = "KRW-BTC"
    unit: Timeframe = 1
    horizon: int = 15
