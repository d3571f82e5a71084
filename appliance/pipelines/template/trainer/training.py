"""The model of a config."""

from __future__ import annotations

from appliance.pipelines.forecasting.trainer.quantile_forecaster import QuantileForecaster
from appliance.pipelines.template.configs.template_spec import (
    TemplateSpec,
)
from appliance.pipelines.template.preprocessor.feature_engineering import (
    VOLATILITY,
)


def new_model(spec: TemplateSpec) -> QuantileForecaster:
    """Return an untrained model as the config describes it; `learner.kind` chooses the learner."""
    return QuantileForecaster(
        horizon=spec.horizon,
        quantiles=spec.quantiles,
        scale_column=VOLATILITY,
        **spec.learner.model_dump(),
    )
