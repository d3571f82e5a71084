"""Registered models as this project's estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.errors import ModelNotFound
from appliance.pipelines.forecasting.trainer.quantile_forecaster import QuantileForecaster

if TYPE_CHECKING:
    from appliance.pipelines.context import ModelSource


def load_forecaster(models: ModelSource, project: str, version: int) -> QuantileForecaster:
    """Return the estimator of a version.

    Raises:
        ModelNotFound: no such version, or it holds another kind of model.
    """
    model = models.load_model(project, version)
    if not isinstance(model, QuantileForecaster):
        raise ModelNotFound(
            f"{project} version {version} holds a {type(model).__name__}, not a forecaster",
            hint="promote a version that the train workflow registered",
        )
    return model
