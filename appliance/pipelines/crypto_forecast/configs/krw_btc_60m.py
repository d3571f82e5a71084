"""KRW-BTC by the hour, an hour ahead: of all timeframes and horizons measured the one with most skill."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from appliance.config.settings import Market, Timeframe
from appliance.pipelines.crypto_forecast.configs.crypto_spec import CryptoSpec, FeatureSpec
from appliance.pipelines.forecasting.forecast_spec import (
    EvaluationSpec,
    MonitoringSpec,
    QualitySpec,
    RetrainSpec,
)
from appliance.pipelines.spec import Horizon


class KrwBtc60m(CryptoSpec):
    """Two years of hours."""

    market: Market = "KRW-BTC"
    unit: Timeframe = 60
    horizon: Horizon = 1
    model_max_age_hours: Annotated[int, Field(ge=0)] = 2_160
    train_schedule: str = "17 3 * * 1"
    features: FeatureSpec = FeatureSpec(
        half_lives=(6, 24, 120), scale_half_life=24, return_lags=(1, 3, 6, 24, 72)
    )
    evaluation: EvaluationSpec = EvaluationSpec(
        purge=6, embargo=6, comparison_rows=336, trial_rows=6_000, probation_rows=1_440
    )
    monitoring: MonitoringSpec = MonitoringSpec(
        performance_rows=720,
        min_performance_rows=240,
        window_rows=336,
        min_rows=72,
        min_new_outcomes=6,
    )
    quality: QualitySpec = QualitySpec(max_age_candles=3)
    retrain: RetrainSpec = RetrainSpec(min_new_rows=24, per_day=1, cooldown_minutes=720)
