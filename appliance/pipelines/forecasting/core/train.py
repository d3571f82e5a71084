"""Train workflow: fit and log a model, register it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from appliance import clock
from appliance.domain.event import EventKind
from appliance.drift.profile import ReferenceProfile
from appliance.errors import InsufficientData
from appliance.pipelines.context import Json, StageContext, StageSkipped
from appliance.pipelines.forecasting.evaluator.figures import holdout_figures
from appliance.pipelines.forecasting.evaluator.scores import score
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.loader.completeness import require_complete
from appliance.pipelines.forecasting.loader.feature_loader import (
    load_labelled,
    load_labelled_span,
)
from appliance.pipelines.forecasting.loader.model_loader import load_forecaster
from appliance.pipelines.forecasting.preprocessor.labels import LabelledRows
from appliance.pipelines.forecasting.serving import (
    HELD_OUT_END,
    WINDOW_END,
    WINDOW_START,
    identity_tags,
    serves,
)
from appliance.pipelines.forecasting.trainer.training import (
    content_hash,
    fit_model,
    reference_profile,
    split_rows,
)
from appliance.registry.client import DatasetWindow
from store.drift import write_profile

FIRST = "first model"
"""The reason of a training that the data workflow asked for."""


def train_model(context: StageContext[ForecastSpec]) -> dict[str, Json]:
    """Fit a model on the newest labelled rows and log it as an MLflow run.

    The newest rows are kept back; the model's scores on them are logged as `holdout_*`.

    Returns:
        mlflow_run_id; rows; window_start_at, window_end_at: ISO opening times of the training rows;
        held_out_end_at: that of the newest row kept back; reason.

    Raises:
        StageSkipped: the first model was asked for, and there is one by now.
        InsufficientData: too few rows yet.
        UnrepairedGap: candles of the window are unknown.
    """
    spec = context.spec
    reason = context.params.get("reason", "asked by " + context.actor)
    if reason == FIRST and (champion := context.champion()) and serves(champion, spec):
        raise StageSkipped(f"version {champion.version} is in production already")
    labelled = load_labelled(context.session, context.project, spec)
    first_at, last_at = labelled.times[0].to_pydatetime(), labelled.times[-1].to_pydatetime()
    require_complete(context.session, spec, first_at, last_at)
    split = split_rows(labelled, spec)
    rows = split.training
    model = fit_model(rows, spec)
    x, y = split.comparison.features, split.comparison.returns
    forecast = model.predict(x)
    holdout = score(y, forecast, model.predict_static(x), model.predict_ewma(x), spec.quantiles)
    window = _window(rows, spec)
    run_id = context.registry.log_training(
        context.project,
        run_name=f"{clock.now():%Y-%m-%d %H:%M} {reason}"[:120],
        params=_params(spec),
        metrics={f"holdout_{name}": value for name, value in holdout.metrics().items()},
        tags={**identity_tags(spec), "reason": reason, "actor": context.actor},
        model=model,
        signature_example=rows.features,
        figures=holdout_figures(split.comparison, forecast, spec.quantiles),
        documents={
            "data_window": {
                "start_at": window.start_at.isoformat(),
                "end_at": window.end_at.isoformat(),
                "rows": window.rows,
                "sha256": content_hash(rows),
            },
            "feature_schema": {"names": spec.recipe.feature_names(spec), "dtype": "float64"},
        },
        dataset=window,
    )
    return {
        "mlflow_run_id": run_id,
        "rows": len(rows),
        WINDOW_START: window.start_at.isoformat(),
        WINDOW_END: window.end_at.isoformat(),
        HELD_OUT_END: split.comparison.times[-1].isoformat(),
        "reason": reason,
    }


def register_model(context: StageContext[ForecastSpec]) -> dict[str, Json]:
    """Make the trained model a version and store its reference profile.

    Returns:
        version: the new version's number.

    Raises:
        InsufficientData: the training rows are gone from the store.
    """
    trained = context.upstream["train_model"]
    run_id = str(trained["mlflow_run_id"])
    notes = {key: str(trained[key]) for key in (WINDOW_START, WINDOW_END, HELD_OUT_END, "reason")}
    tags = {**identity_tags(context.spec), **notes}
    version = context.registry.register(context.project, run_id, tags).version
    metrics = dict(context.upstream["evaluate_model"])
    profile = {
        **_profile(context, version, notes).to_json(),
        "loss": metrics.pop("loss_reference", None),
    }
    context.registry.log_documents(run_id, {"reference_profile": profile})
    write_profile(context.session, context.project, version, profile)
    context.record(
        EventKind.TRAINED,
        f"trained version {version} on {trained['rows']} rows ({trained['reason']}):"
        f" skill {_percent(metrics['skill_ewma'])} over EWMA,"
        f" {_percent(metrics['skill_static'])} over static quantiles",
        {"version": version, **trained, "metrics": metrics},
    )
    return {"version": version}


def _profile(
    context: StageContext[ForecastSpec], version: int, notes: Mapping[str, str]
) -> ReferenceProfile:
    spec = context.spec
    start_at, end_at = (datetime.fromisoformat(notes[key]) for key in (WINDOW_START, WINDOW_END))
    rows = load_labelled_span(context.session, context.project, spec, start_at, end_at)
    if rows is None:
        raise InsufficientData(
            f"the training rows from {notes[WINDOW_START]} on are no longer stored",
            hint="appliance run train",
        )
    model = load_forecaster(context.registry, context.project, version)
    return reference_profile(rows, model, spec)


def _window(rows: LabelledRows, spec: ForecastSpec) -> DatasetWindow:
    return DatasetWindow(
        market=spec.market,
        unit=spec.unit,
        start_at=rows.times[0].to_pydatetime(),
        end_at=rows.times[-1].to_pydatetime(),
        rows=len(rows),
    )


def _params(spec: ForecastSpec) -> dict[str, object]:
    learner = {f"learner.{name}": value for name, value in spec.learner.model_dump().items()}
    return {
        "config": type(spec).__name__,
        "market": spec.market,
        "unit": spec.unit,
        "horizon": spec.horizon,
        "quantiles": ",".join(str(level) for level in spec.quantiles),
        **{f"features.{name}": value for name, value in spec.features.model_dump().items()},
        **learner,
    }


def _percent(value: Json) -> str:
    return f"{100 * value:+.1f} %" if isinstance(value, float) else "unknown"
