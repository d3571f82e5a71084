"""The training that the data workflow asks for while no model serves the config."""

from __future__ import annotations

from appliance.pipelines.context import StageContext, StageSkipped
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.serving import serves

FIRST = "first model"
"""The reason of such a training where there has been none."""
UNSERVED = "the model in production serves another config, or rows of other code"
"""The reason of such a training where there has been one."""


def skip_once_served(context: StageContext[ForecastSpec]) -> None:
    """Return unless the run was asked for because no model served, and one does by now.

    Raises:
        StageSkipped: so it is.
    """
    if context.params.get("reason") not in (FIRST, UNSERVED):
        return
    champion = context.champion()
    if champion is not None and serves(context, champion):
        raise StageSkipped(f"version {champion.version} is in production already")
