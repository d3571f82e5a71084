"""The model of a config."""

from __future__ import annotations

from appliance.pipelines.crypto_forecast.configs.crypto_spec import CryptoSpec
from appliance.pipelines.crypto_forecast.preprocessor.feature_engineering import VOLATILITY
from appliance.pipelines.forecasting.trainer.quantile_forecaster import QuantileForecaster


def new_model(spec: CryptoSpec) -> QuantileForecaster:
    """Return an untrained model as the config describes it."""
    return QuantileForecaster(
        horizon=spec.horizon,
        quantiles=spec.quantiles,
        scale_column=VOLATILITY,
        **spec.learner.model_dump(),
    )
