"""Train workflow: fit and log a model, register it."""

from __future__ import annotations

from typing import cast

from appliance import clock, zone
from appliance.domain.event import EventKind
from appliance.pipelines.context import Json, StageContext
from appliance.pipelines.forecasting.core.first_model import skip_once_served
from appliance.pipelines.forecasting.core.soundness import check_rows
from appliance.pipelines.forecasting.evaluator.effects import loss_effects
from appliance.pipelines.forecasting.evaluator.figures import holdout_figures, importance_figure
from appliance.pipelines.forecasting.evaluator.holdout import score_held_out
from appliance.pipelines.forecasting.evaluator.scores import in_words
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.loader.completeness import require_complete
from appliance.pipelines.forecasting.loader.feature_loader import load_labelled
from appliance.pipelines.forecasting.loader.market_loader import load_market_values
from appliance.pipelines.forecasting.loader.profile_loader import PROFILE
from appliance.pipelines.forecasting.row_digest import row_digest
from appliance.pipelines.forecasting.serving import ROW_DIGEST, identity_tags
from appliance.pipelines.forecasting.trained_window import (
    HELD_OUT_END,
    TRAIN_SECONDS,
    WINDOW_END,
    WINDOW_START,
)
from appliance.pipelines.forecasting.trainer.quantile_forecaster import QuantileForecaster
from appliance.pipelines.forecasting.trainer.record import (
    CODE,
    dataset_window,
    documents,
    parameters,
)
from appliance.pipelines.forecasting.trainer.search import search_learner
from appliance.pipelines.forecasting.trainer.training import (
    Split,
    candle_grid,
    fit_model,
    reference_profile,
    split_rows,
)
from appliance.pipelines.progress import tell
from appliance.pipelines.provenance import GIT_COMMIT
from store.drift import newest_profiled, write_profile

_CHECK = check_rows.__name__


def train_model(context: StageContext[ForecastSpec]) -> dict[str, Json]:
    """Fit a model on the newest labelled rows and log it as an MLflow run.

    Rows that no stage before has judged are judged first. The newest rows are kept back; the model's scores
    on them are logged as `holdout_*`. With a budget in `search.seconds` the learner's parameters are
    searched first.

    Returns:
        mlflow_run_id; rows; window_start_at, window_end_at: ISO opening times of the training rows;
        held_out_end_at: that of the newest row kept back; row_digest: what made the rows; learner: its
        parameters; train_seconds: how long search and fit took; reason.

    Raises:
        StageSkipped: the first model was asked for, and there is one by now.
        InsufficientData: too few rows yet.
        DataQualityError: the rows were not judged before and are not sound.
        UnrepairedGap: candles of the window are unknown.
    """
    skip_once_served(context)
    if _CHECK not in context.upstream:
        check_rows(context)
    spec = context.spec
    reason = context.params.get("reason", "asked by " + context.actor)
    context.registry.close_abandoned(context.project)
    labelled = load_labelled(context.session, context.project, spec)
    first_at, last_at = labelled.times[0].to_pydatetime(), labelled.times[-1].to_pydatetime()
    require_complete(context.session, spec, first_at, last_at)
    split = split_rows(labelled, spec)
    began = clock.monotonic()
    learner = search_learner(split.training, spec, context.paths.searches / context.project)
    spec = spec.model_copy(update={"learner": learner})
    started = zone.utc_text(split.training.times[0].to_pydatetime())
    tell(f"fitting on {len(split.training):,} rows from {started}")
    model = fit_model(split.training, spec)
    seconds = clock.monotonic() - began
    run_id = _score_and_log(context, spec, split, model, reason)
    return {
        "mlflow_run_id": run_id,
        "rows": len(split.training),
        WINDOW_START: split.training.times[0].isoformat(),
        WINDOW_END: split.training.times[-1].isoformat(),
        HELD_OUT_END: split.comparison.times[-1].isoformat(),
        ROW_DIGEST: row_digest(spec),
        TRAIN_SECONDS: f"{seconds:.1f}",
        "learner": learner.model_dump(mode="json"),
        "reason": reason,
    }


def register_model(context: StageContext[ForecastSpec]) -> dict[str, Json]:
    """Make the trained model a version and store its reference profile.

    All that belongs to a version is in its MLflow run before the version exists, so that a kill at any
    moment leaves a whole version or none. The store's profile is a copy.

    Returns:
        version: the new version's number.
    """
    trained = context.upstream["train_model"]
    run_id = str(trained["mlflow_run_id"])
    noted = (WINDOW_START, WINDOW_END, HELD_OUT_END, ROW_DIGEST, TRAIN_SECONDS, "reason")
    notes = {key: str(trained[key]) for key in noted}
    tags = {**identity_tags(context.spec), **notes}
    profile = cast("dict[str, object]", context.registry.document(run_id, PROFILE))
    version = context.registry.register(
        context.project, run_id, tags, above=newest_profiled(context.session, context.project)
    ).version
    write_profile(context.session, context.project, version, profile)
    metrics = dict(context.upstream["evaluate_model"])
    context.record(
        EventKind.TRAINED,
        f"trained version {version} on {trained['rows']} rows ({trained['reason']}):"
        f" skill {in_words(metrics.get('skill_ewma'))} over EWMA,"
        f" {in_words(metrics.get('skill_static'))} over static quantiles",
        {"version": version, **trained, "metrics": metrics},
    )
    return {"version": version}


def _score_and_log(
    context: StageContext[ForecastSpec],
    spec: ForecastSpec,
    split: Split,
    model: QuantileForecaster,
    reason: str,
) -> str:
    window = dataset_window(split.training, spec)
    tell(f"scoring on {len(split.comparison):,} rows kept back")
    held_out = score_held_out(model, split.comparison, spec)
    effects = loss_effects(
        model, split.comparison, [str(name) for name in split.comparison.features]
    )
    notes = documents(context.project, spec, split, window)
    market = load_market_values(context.session, spec, candle_grid(split.training, spec))
    commit = cast("dict[str, str]", notes[CODE])["git_commit"]
    tell("logging to MLflow")
    return context.registry.log_training(
        context.project,
        run_name=f"{zone.utc_text(clock.now())} {reason}"[:120],
        params=parameters(spec),
        metrics={f"holdout_{name}": value for name, value in held_out.scores.metrics().items()},
        tags={
            **identity_tags(spec),
            "reason": reason,
            "actor": context.actor,
            **({GIT_COMMIT: commit} if commit else {}),
        },
        model=model,
        signature_example=split.training.features,
        figures={
            **holdout_figures(split.comparison, held_out.forecast, spec.quantiles),
            "feature_importance": importance_figure(effects),
        },
        documents={
            **notes,
            "feature_importance": effects,
            PROFILE: reference_profile(split.training, model, spec, market).to_json(),
        },
        dataset=window,
    )
