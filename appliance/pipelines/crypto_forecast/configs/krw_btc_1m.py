"""KRW-BTC by the minute, a quarter of an hour ahead."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from appliance.config.settings import Market, Timeframe
from appliance.pipelines.crypto_forecast.configs.crypto_spec import CryptoSpec
from appliance.pipelines.spec import Horizon


class KrwBtc1m(CryptoSpec):
    """Two weeks of minutes; the defaults of `ForecastSpec` and `CryptoSpec` are made for this one."""

    market: Market = "KRW-BTC"
    unit: Timeframe = 1
    horizon: Horizon = 15
    model_max_age_hours: Annotated[int, Field(ge=0)] = 336
