"""KRW-BTC by the minute, half an hour ahead."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from appliance.config.settings import Market, Timeframe
from appliance.pipelines.forecasting.forecast_spec import (
    EvaluationSpec,
)
from appliance.pipelines.spec import Horizon
from appliance.pipelines.template.configs.template_spec import (
    TemplateSpec,
)


class KrwBtc1m(TemplateSpec):
    """Two weeks of minutes."""

    market: Market = "KRW-BTC"
    unit: Timeframe = 1
    horizon: Horizon = 30
    model_max_age_hours: Annotated[int, Field(ge=0)] = 336
    evaluation: EvaluationSpec = EvaluationSpec(purge=30, embargo=30)
