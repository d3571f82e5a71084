"""Config and rows of a training that has happened, as it had them."""

from __future__ import annotations

from datetime import datetime

from appliance import zone
from appliance.errors import DataQualityError
from appliance.pipelines.context import StageContext
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec, LearnerSpec
from appliance.pipelines.forecasting.loader.feature_loader import load_labelled_span
from appliance.pipelines.forecasting.row_digest import row_digest
from appliance.pipelines.forecasting.serving import ROW_DIGEST
from appliance.pipelines.forecasting.trained_window import HELD_OUT_END, WINDOW_START
from appliance.pipelines.forecasting.trainer.training import Split, split_rows
from store.session import Session


def spec_as_trained(context: StageContext[ForecastSpec]) -> ForecastSpec:
    """Return the config with the learner's parameters that this run's training has used."""
    learner = LearnerSpec.model_validate(context.result_of("train_model", "learner"))
    return context.spec.model_copy(update={"learner": learner})


def trained_split(context: StageContext[ForecastSpec]) -> Split:
    """Return the rows that this run's training has used and kept back, whatever arrived meanwhile.

    Raises:
        DataQualityError: they are no longer stored.
    """
    trained = context.upstream["train_model"]
    start_at, end_at = (
        datetime.fromisoformat(str(trained[name])) for name in (WINDOW_START, HELD_OUT_END)
    )
    made_by = str(trained.get(ROW_DIGEST) or row_digest(context.spec))
    return load_split(context.session, context.project, context.spec, start_at, end_at, made_by)


def load_split(
    session: Session,
    project: str,
    spec: ForecastSpec,
    start_at: datetime,
    end_at: datetime,
    digest: str,
) -> Split:
    """Return the rows from the first to train on to the newest kept back, split as a training does.

    Args:
        session: the store.
        project: the project's name.
        spec: the training's config.
        start_at: opening time of the first row to train on.
        end_at: opening time of the newest row kept back.
        digest: of the code and parameters that made the rows.

    Raises:
        DataQualityError: they are no longer stored.
    """
    rows = load_labelled_span(session, project, spec, start_at, end_at, digest)
    if rows is None or rows.times[0] != start_at or rows.times[-1] != end_at:
        found = "none" if rows is None else zone.utc_span(rows.times[0], rows.times[-1])
        raise DataQualityError(
            f"the rows from {zone.utc_span(start_at, end_at)} are no longer"
            f" all stored (there is {found})",
            code="data.rows_gone",
            hint=f"appliance backfill {spec.market} --unit {spec.unit} --from {zone.utc_argument(start_at)},"
            " then: appliance run data --param full=true",
            project=project,
        )
    return split_rows(rows, spec)
