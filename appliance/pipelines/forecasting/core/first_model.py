"""The training that the data workflow asks for while no model serves the config."""

from __future__ import annotations

from appliance.pipelines.context import StageContext, StageSkipped
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.serving import serves

FIRST = "first model"
"""The reason of such a training."""


def skip_once_served(context: StageContext[ForecastSpec]) -> None:
    """Return unless the run was asked for a first model and one is in production by now.

    Raises:
        StageSkipped: so it is.
    """
    if context.params.get("reason") != FIRST:
        return
    champion = context.champion()
    if champion is not None and serves(champion, context.spec):
        raise StageSkipped(f"version {champion.version} is in production already")
