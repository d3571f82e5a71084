"""The training that the data workflow asks for while no model serves the config."""

from __future__ import annotations

from appliance.domain.event import MOVES
from appliance.pipelines.context import StageContext, StageSkipped
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.serving import is_usable
from store.events import read_events

FIRST = "first model"
"""The reason of such a training where there has been none."""
UNSERVED = "the model in production serves another config, or rows of other code"
"""The reason of such a training where there has been one."""
MISSING = "no model is in production any more"
"""The reason where there was a champion, and MLflow has none now."""


def missing_reason(context: StageContext[ForecastSpec]) -> str:
    """Return the reason of a training while no version is in production."""
    return MISSING if newest_move(context) else FIRST


def newest_move(context: StageContext[ForecastSpec]) -> int:
    """Return the id of the event of the newest promotion or rollback, 0 before the first."""
    moves = read_events(context.session, limit=1, kinds=list(MOVES), project=context.project)
    return moves[-1].id if moves else 0


def skip_once_served(context: StageContext[ForecastSpec]) -> None:
    """Return unless the run was asked for because no model served, and one does by now.

    Raises:
        StageSkipped: so it is.
    """
    if context.params.get("reason") not in (FIRST, MISSING, UNSERVED):
        return
    champion = context.champion()
    if champion is not None and is_usable(context, champion):
        raise StageSkipped(f"version {champion.version} is in production already")
