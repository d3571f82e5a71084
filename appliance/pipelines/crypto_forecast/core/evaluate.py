"""Train workflow: walk-forward evaluation, and the decision about production."""

from __future__ import annotations

from dataclasses import asdict

from appliance.domain.event import EventKind
from appliance.domain.model_version import ModelVersion
from appliance.pipelines.context import Json, StageContext
from appliance.pipelines.crypto_forecast.configs.forecast_spec import ForecastSpec
from appliance.pipelines.crypto_forecast.evaluator.comparison import Comparison, compare_models
from appliance.pipelines.crypto_forecast.evaluator.figures import fold_figure
from appliance.pipelines.crypto_forecast.evaluator.walk_forward import evaluate_walk_forward
from appliance.pipelines.crypto_forecast.loader.feature_loader import (
    load_labelled,
    load_labelled_span,
)
from appliance.pipelines.crypto_forecast.loader.model_loader import load_forecaster
from appliance.pipelines.crypto_forecast.trainer.training import new_model, split_rows
from appliance.pipelines.crypto_forecast.utils.serving import serves, unseen_from


def evaluate_model(context: StageContext[ForecastSpec]) -> dict[str, Json]:
    """Evaluate the recipe walk-forward on the training rows and log it to the model's run.

    Returns:
        The metrics over all folds: pinball, skill_static, skill_ewma, coverage, mae, rmse, direction
        and the benchmarks' losses.
    """
    spec = context.spec
    run_id = str(context.upstream["train_model"]["mlflow_run_id"])
    rows = split_rows(load_labelled(context.session, context.project, spec), spec).training
    evaluation = evaluate_walk_forward(rows, lambda: new_model(spec), spec.evaluation, spec.horizon)
    metrics = evaluation.overall.metrics()
    folds = {
        f"fold_{number}_{name}": value
        for number, fold in enumerate(evaluation.folds, start=1)
        for name, value in fold.metrics().items()
    }
    context.registry.log_metrics(run_id, {**metrics, **folds})
    context.registry.log_figures(run_id, {"fold_skill": fold_figure(evaluation)})
    return dict(metrics)


def decide_promotion(context: StageContext[ForecastSpec]) -> dict[str, Json]:
    """Put the new version into production, or keep it as challenger, on evidence.

    The first model that serves the config is promoted. Later ones meet the champion on the newest
    rows, which neither was trained on; promotion mode `auto` promotes what is better.

    Returns:
        decision: promoted, challenger or kept; version; evidence in words.
    """
    project, spec, registry = context.project, context.spec, context.registry
    version = registry.version(project, _as_int(context.upstream["register_model"]["version"]))
    champion = context.champion()
    if champion is None or not serves(champion, spec):
        reason = "first model" if champion is None else "the champion serves another config"
        return _promote(context, version, reason)
    if champion.version == version.version:
        return {"decision": "kept", "version": version.version, "evidence": "in production already"}
    comparison = _compare(context, champion, version)
    if comparison is None:
        return _keep(context, champion, version, "no row that neither model was trained on", {})
    evidence = _evidence(comparison)
    if not comparison.verdict.is_promotable:
        return _keep(context, champion, version, comparison.words, evidence)
    _record_verdict(context, champion, version, comparison.words, evidence)
    if context.promotion == "auto":
        return _promote(context, version, comparison.words, champion.version)
    registry.set_challenger(project, version.version)
    return {
        "decision": "challenger",
        "version": version.version,
        "evidence": f"{comparison.words}; promotion mode is {context.promotion}",
    }


def _compare(
    context: StageContext[ForecastSpec], champion: ModelVersion, version: ModelVersion
) -> Comparison | None:
    project, spec, registry = context.project, context.spec, context.registry
    start_at = max(unseen_from(champion, spec), unseen_from(version, spec))
    rows = load_labelled_span(context.session, project, spec, start_at, None)
    if rows is None:
        return None
    return compare_models(
        load_forecaster(registry, project, champion.version),
        load_forecaster(registry, project, version.version),
        rows,
        spec.horizon,
        spec.evaluation.gate_alpha,
    )


def _promote(
    context: StageContext[ForecastSpec], version: ModelVersion, reason: str, deposed: int = 0
) -> dict[str, Json]:
    context.registry.promote(context.project, version.version)
    context.record(
        EventKind.PROMOTED,
        f"version {version.version} is in production: {reason}",
        {"version": version.version, "previous": deposed, "reason": reason},
    )
    return {"decision": "promoted", "version": version.version, "evidence": reason}


def _keep(
    context: StageContext[ForecastSpec],
    champion: ModelVersion,
    version: ModelVersion,
    words: str,
    evidence: dict[str, object],
) -> dict[str, Json]:
    _record_verdict(context, champion, version, words, evidence)
    return {"decision": "kept", "version": version.version, "evidence": words}


def _record_verdict(
    context: StageContext[ForecastSpec],
    champion: ModelVersion,
    version: ModelVersion,
    words: str,
    evidence: dict[str, object],
) -> None:
    context.record(
        EventKind.GATE_VERDICT,
        f"version {version.version} against version {champion.version}: {words}",
        {"challenger": version.version, "champion": champion.version, **evidence},
    )


def _evidence(comparison: Comparison) -> dict[str, object]:
    evidence: dict[str, object] = asdict(comparison)
    return {**evidence, "verdict": asdict(comparison.verdict)}


def _as_int(value: Json) -> int:
    return int(value) if isinstance(value, int | str | float) else 0
