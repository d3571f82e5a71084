"""Train workflow: walk-forward evaluation, and the decision about production."""

from __future__ import annotations

from typing import cast

from appliance.domain.model_version import ModelVersion
from appliance.domain.trial import TrialState
from appliance.drift.loss_reference import build_reference
from appliance.errors import ProductionMoved
from appliance.pipelines.context import Json, StageContext
from appliance.pipelines.forecasting.core.first_model import missing_reason
from appliance.pipelines.forecasting.core.inference import forecast_version, join_outcomes
from appliance.pipelines.forecasting.core.plausibility import doubt_about
from appliance.pipelines.forecasting.core.recorded import spec_as_trained, trained_split
from appliance.pipelines.forecasting.core.trials import (
    begin_challenge,
    follow_champion,
    hold,
    judge_trial,
    promote,
)
from appliance.pipelines.forecasting.evaluator.figures import fold_figure
from appliance.pipelines.forecasting.evaluator.scores import Scores, in_words, pinball_losses
from appliance.pipelines.forecasting.evaluator.walk_forward import (
    Evaluation,
    evaluate_walk_forward,
)
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.loader.profile_loader import PROFILE
from appliance.pipelines.forecasting.preprocessor.labels import LabelledRows
from appliance.pipelines.forecasting.serving import cannot_be_loaded, why_not_serving
from appliance.pipelines.forecasting.trainer.training import new_model
from appliance.pipelines.progress import tell

_DECISIONS = {TrialState.PROMOTED: "promoted", TrialState.BETTER: "challenger"}


def evaluate_model(context: StageContext[ForecastSpec]) -> dict[str, Json]:
    """Evaluate the recipe walk-forward on the training rows and log it to the model's run.

    Completes the model's reference profile with what the live loss will be compared with.

    Returns:
        The metrics over all folds: pinball, skill_static, skill_ewma, coverage, mae, rmse, direction,
        the benchmarks' losses and the project's own.

    Raises:
        DataQualityError: the training rows are no longer stored.
    """
    registry, spec = context.registry, spec_as_trained(context)
    run_id = str(context.upstream["train_model"]["mlflow_run_id"])
    evaluation = evaluate_training(trained_split(context).training, spec)
    registry.log_metrics(run_id, evaluation_metrics(evaluation, spec))
    registry.log_figures(run_id, {"fold_skill": fold_figure(evaluation)})
    profile = cast("dict[str, object]", registry.document(run_id, PROFILE))
    loss = _loss_reference(evaluation, spec)
    registry.log_documents(run_id, {PROFILE: {**profile, "loss": loss}})
    return {**_own_metrics(evaluation, spec), **evaluation.overall.metrics()}


def evaluate_training(rows: LabelledRows, spec: ForecastSpec) -> Evaluation:
    """Evaluate the recipe walk-forward on training rows, telling each fold's result."""
    return evaluate_walk_forward(
        rows, lambda: new_model(spec), spec.evaluation, spec.horizon, _tell_fold
    )


def evaluation_metrics(evaluation: Evaluation, spec: ForecastSpec) -> dict[str, float]:
    """Return an evaluation's metrics by name: the project's own, over all folds, and per fold."""
    folds = {
        f"fold_{number}_{name}": value
        for number, fold in enumerate(evaluation.folds, start=1)
        for name, value in fold.metrics().items()
    }
    return {**_own_metrics(evaluation, spec), **evaluation.overall.metrics(), **folds}


def _own_metrics(evaluation: Evaluation, spec: ForecastSpec) -> dict[str, float]:
    return spec.recipe.own_metrics(evaluation.outcomes, evaluation.forecast)


def _tell_fold(number: int, count: int, scores: Scores) -> None:
    tell(
        f"fold {number} of {count}: skill {in_words(scores.skill_ewma)} over EWMA,"
        f" {in_words(scores.skill_static)} over static quantiles,"
        f" {100 * scores.coverage:.0f} % inside the interval"
    )


def _loss_reference(evaluation: Evaluation, spec: ForecastSpec) -> dict[str, Json]:
    losses = pinball_losses(evaluation.outcomes, evaluation.forecast, spec.quantiles)
    widths = evaluation.forecast[:, 2] - evaluation.forecast[:, 0]
    ewma_widths = evaluation.ewma[:, 2] - evaluation.ewma[:, 0]
    rows = spec.monitoring.performance_rows
    return build_reference(losses, ewma_widths, widths, rows).to_json()


def decide_promotion(context: StageContext[ForecastSpec]) -> dict[str, Json]:
    """Put the new version into production, or begin its trial as a challenger.

    A model of another config than the configured one is registered and no more. The first one that serves
    the config is promoted, or held for a person when its skill cannot be believed. Later ones meet the
    champion on the newest rows, which neither was trained on: both forecast what they have not yet, and
    the gate has a first look. What it cannot tell yet is looked at again whenever new outcomes have matured.

    Returns:
        decision: promoted, challenger, held or kept; version; evidence in words.
    """
    project, registry = context.project, context.registry
    version = registry.version(project, _as_int(context.upstream["register_model"]["version"]))
    if not context.is_configured:
        evidence = "registered only: production belongs to the configured config"
        return {"decision": "kept", "version": version.version, "evidence": evidence}
    champion = context.champion()
    reason = _why_unserved(context, champion)
    if champion is None or reason:
        return _decide_first(context, version, champion, reason)
    if champion.version == version.version:
        return {"decision": "kept", "version": version.version, "evidence": "in production already"}
    follow_champion(context, champion)
    trial = begin_challenge(context, champion, version)
    for each in (champion, version):
        forecast_version(context, each, trial.from_at)
    join_outcomes(context)
    trial = judge_trial(context, trial)
    return {
        "decision": _DECISIONS.get(trial.state, "kept"),
        "version": version.version,
        "evidence": trial.words or "no row yet that neither model was trained on",
    }


def _decide_first(
    context: StageContext[ForecastSpec],
    version: ModelVersion,
    champion: ModelVersion | None,
    reason: str,
) -> dict[str, Json]:
    """Promote the first version that serves the config, or hold it for a person."""
    doubt, seen = doubt_about(context, version), champion.version if champion else 0
    try:
        if doubt:
            hold(context, version.version, doubt, seen=seen)
        else:
            promote(context, version.version, reason, seen=seen)
    except ProductionMoved as error:  # an operator was first
        return {"decision": "kept", "version": version.version, "evidence": error.message}
    decision = "held" if doubt else "promoted"
    return {"decision": decision, "version": version.version, "evidence": doubt or reason}


def _why_unserved(context: StageContext[ForecastSpec], champion: ModelVersion | None) -> str:
    """Return why the config is without a model that forecasts, "" when it has one."""
    if champion is None:
        return missing_reason(context)
    reason = why_not_serving(context, champion) or cannot_be_loaded(context, champion)
    return f"version {champion.version} {reason}" if reason else ""


def _as_int(value: Json) -> int:
    return int(value) if isinstance(value, int | str | float) else 0
