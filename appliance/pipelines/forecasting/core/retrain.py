"""The decision to retrain, and what retraining has been worth."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from appliance import clock
from appliance.domain.drift import DriftVerdict
from appliance.domain.event import EventKind, Severity
from appliance.domain.model_version import ModelVersion
from appliance.domain.trial import ParkedRetrain, TwinAccount
from appliance.drift.monitoring_page import monitoring_page
from appliance.errors import RegistryError
from appliance.pipelines.context import Json, StageContext
from appliance.pipelines.forecasting.core.trials import twin_of
from appliance.pipelines.forecasting.evaluator.comparison import compare_pairs
from appliance.pipelines.forecasting.evaluator.retrain_policy import (
    RetrainDecision,
    RetrainFacts,
    decide,
)
from appliance.pipelines.forecasting.evaluator.scores import in_words
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.loader.feature_loader import load_rows
from appliance.pipelines.forecasting.loader.market_loader import TRADED_VOLUME
from appliance.pipelines.forecasting.serving import serves
from appliance.pipelines.forecasting.trained_window import evaluated_until, unseen_from
from appliance.registry.promotion import Verdict
from store.drift import latest_report
from store.events import read_events
from store.monitoring import read_monitoring
from store.performance import latest_performance
from store.retrains import (
    clear_parked,
    latest_account,
    park_retrain,
    parked_retrain,
    write_account,
)
from store.trials import production_losses

log = logging.getLogger(__name__)

_GAINED = {
    Verdict.BETTER: "lost",
    Verdict.WORSE: "gained",
    Verdict.NOT_ENOUGH_EVIDENCE: "undecided",
}
"""What a verdict on the frozen twin says about retraining."""


def decide_retrain(context: StageContext[ForecastSpec]) -> dict[str, Json]:
    """Decide `retrain` or `skip`, with reasons; a retrain asks for the train workflow.

    Returns:
        decision, reasons; request: set when a training is asked for.
    """
    spec = context.spec
    facts = _facts(context)
    decision = decide(facts, spec.monitoring, spec.retrain, clock.now())
    _record_decision(context, decision)
    _park(context, decision)
    _account_for_retrains(context)
    _publish_page(context)
    request: Json = None
    if decision.decision == "retrain":
        reason = "; ".join(decision.reasons)
        request = {"workflow": "train", "id": f"retrain__{context.run_id}", "reason": reason}
    return {
        "decision": decision.decision,
        "reasons": list(decision.reasons),
        "request": request,
    }


def _account_for_retrains(context: StageContext[ForecastSpec]) -> None:
    """Compare what was in production with the frozen twin, over every candle that both forecast."""
    spec, session, project = context.spec, context.session, context.project
    champion = context.champion()
    if champion is None or not serves(context, champion):
        return
    twin = twin_of(context, champion)
    since_at = unseen_from(context.registry.version(project, twin), spec.unit, spec.horizon)
    pairs = production_losses(session, project, twin, spec.unit, spec.horizon, since_at)
    comparison = compare_pairs(pairs, spec.horizon, spec.evaluation.gate_alpha)
    if comparison is None:
        return
    account = TwinAccount(
        project=project,
        model_version=twin,
        rows=pairs.num_rows,
        production_loss=comparison.champion_loss,
        twin_loss=comparison.challenger_loss,
        verdict=_GAINED[comparison.verdict.verdict],
        computed_at=clock.now(),
    )
    before = latest_account(session, project)
    write_account(session, account)
    if before is None or before.verdict != account.verdict:
        context.record(
            EventKind.RETRAIN_ACCOUNTED,
            f"retraining has {account.verdict}: loss {in_words(account.gain)} lower than that of"
            f" version {twin}, frozen, over {account.rows} candles",
            {"gain": account.gain, **comparison.evidence()},
        )


def _publish_page(context: StageContext[ForecastSpec]) -> None:
    """Put the report with its decision beside the champion's training, where MLflow shows it."""
    champion = context.champion()
    if champion is None:
        return
    page = monitoring_page(read_monitoring(context.session, context.project), clock.now())
    try:
        context.registry.log_page(champion.run_id, "monitoring", page)
    except RegistryError as error:  # what is decided stands without its picture
        log.warning("the monitoring page is not stored: %s", error.message)


def _park(context: StageContext[ForecastSpec], decision: RetrainDecision) -> None:
    if decision.decision == "retrain":
        clear_parked(context.session, context.project)
    elif decision.parked:
        park_retrain(context.session, ParkedRetrain(context.project, decision.parked, clock.now()))


def _parked(
    context: StageContext[ForecastSpec], trained_at: list[datetime]
) -> ParkedRetrain | None:
    """Return the parked retrain; a training since then has fulfilled it."""
    parked = parked_retrain(context.session, context.project)
    if parked is not None and any(at > parked.parked_at for at in trained_at):
        clear_parked(context.session, context.project)
        return None
    return parked


def _facts(context: StageContext[ForecastSpec]) -> RetrainFacts:
    spec, session, project = context.spec, context.session, context.project
    versions = context.registry.versions(project)
    champion = next((version for version in versions if version.is_champion), None)
    trained = read_events(session, kinds=[EventKind.TRAINED], project=project)
    quality = read_events(session, limit=1, kinds=[EventKind.QUALITY_CHECKED], project=project)
    report = latest_report(session, project)
    scores = report.scores if report is not None else ()
    number = champion.version if champion is not None else None
    trained_at = [event.at for event in trained]
    return RetrainFacts(
        new_rows=_new_rows(context, versions, spec),
        quality=str(quality[-1].details.get("verdict", "")) if quality else "",
        trained_at=trained_at,
        drift=report.verdict if report is not None else DriftVerdict.INSUFFICIENT,
        drifted_features=[
            s.feature
            for s in scores
            if s.verdict is DriftVerdict.DRIFTED and s.feature != TRADED_VOLUME
        ],
        performance=latest_performance(session, project, number) if number else None,
        trained_skill=champion.metrics.get("skill_ewma") if champion is not None else None,
        loss=report.loss if report is not None and report.model_version == number else None,
        parked=_parked(context, trained_at),
    )


def _new_rows(
    context: StageContext[ForecastSpec], versions: list[ModelVersion], spec: ForecastSpec
) -> int:
    ends = [evaluated_until(version) for version in versions if serves(context, version)]
    if not ends:
        return spec.training_rows
    since_at = max(ends) + timedelta(minutes=spec.unit * (spec.horizon + 1))
    limit = spec.retrain.min_new_rows
    rows = load_rows(context.session, context.project, spec, start_at=since_at, limit=limit)
    return len(rows)


def _record_decision(context: StageContext[ForecastSpec], decision: RetrainDecision) -> None:
    earlier = read_events(
        context.session, limit=1, kinds=[EventKind.RETRAIN_DECIDED], project=context.project
    )
    is_repeated = bool(earlier) and (
        earlier[-1].details.get("decision"),
        earlier[-1].details.get("code"),
    ) == (decision.decision, decision.code)
    if is_repeated and decision.decision == "skip":
        return
    is_retrain = decision.decision == "retrain"
    context.record(
        EventKind.RETRAIN_DECIDED,
        decision.summary,
        {
            "decision": decision.decision,
            "code": decision.code,
            "reasons": list(decision.reasons),
            "parked": list(decision.parked),
        },
        Severity.WARNING if is_retrain else Severity.INFO,
    )
