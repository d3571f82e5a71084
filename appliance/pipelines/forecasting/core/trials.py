"""Trials: challengers and the deposed champion forecast in the shadow until the evidence decides."""

from __future__ import annotations

import hashlib
import json
import logging
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from appliance import clock
from appliance.domain.event import MOVES, Event, EventKind, Severity
from appliance.domain.model_version import ModelVersion
from appliance.domain.trial import Trial, TrialPurpose, TrialState
from appliance.errors import ModelNotFound, ProductionMoved
from appliance.pipelines.context import Json, StageContext, StageSkipped
from appliance.pipelines.forecasting.core.plausibility import doubt_about
from appliance.pipelines.forecasting.core.registry_changes import record_change
from appliance.pipelines.forecasting.evaluator.comparison import Comparison, compare_pairs
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.loader.feature_loader import newest_row_at
from appliance.pipelines.forecasting.serving import (
    identity_tags,
    is_usable,
    serves,
    why_not_serving,
)
from appliance.pipelines.forecasting.trained_window import unseen_from
from appliance.registry.aliases import CHALLENGER, HELD, STATE
from appliance.registry.promotion import Verdict
from store.events import read_events
from store.retrains import claim_twin, replace_twin
from store.trials import paired_losses, read_trials, write_trial

Context = StageContext[ForecastSpec]

log = logging.getLogger(__name__)

_WEAKEST = 1.0


def judge_trials(context: Context) -> dict[str, Json]:
    """Look at the evidence of every running trial and act on what is decided.

    A challenger that is better and harms no regime is promoted (mode `auto`, once forecasts made live
    confirm it and its skill can be believed) or named the challenger. A new
    champion that turns out worse than the one it deposed is replaced by it again.

    Returns:
        verdicts: challenger's version -> verdict in words; champion: the version in production after.

    Raises:
        StageSkipped: there is no production model yet, or the config is not the configured one.
    """
    if not context.is_configured:
        raise StageSkipped("production belongs to the configured config")
    champion = context.champion()
    if champion is None or not serves(context, champion):
        raise StageSkipped("no production model yet")
    if context.is_registry_away:
        raise StageSkipped("the registry is away: comparisons and retrains wait for it")
    verdicts: dict[str, Json] = {}
    for trial in sorted(
        follow_champion(context, champion), key=lambda each: each.purpose != "probation"
    ):
        ended = judge_trial(context, trial)
        verdicts[str(trial.challenger)] = ended.words
        if ended.state in (TrialState.PROMOTED, TrialState.RESTORED):
            break
    now_in = context.champion()
    return {"verdicts": verdicts, "champion": now_in.version if now_in is not None else 0}


def follow_champion(context: Context, champion: ModelVersion) -> list[Trial]:
    """Bring the trials in line with what is in production, whoever put it there; return those that run.

    Trials against another champion end. The newest promotion, if it deposed a version, begins a probation.
    """
    session, project = context.session, context.project
    moves = read_events(session, limit=1, kinds=list(MOVES), project=project)
    running = read_trials(session, project, TrialState.RUNNING)
    current = []
    for trial in running:
        if trial.champion != champion.version:
            _end_overtaken(context, trial, champion)
        elif not (reason := _why_gone(context, trial.challenger)):
            current.append(trial)
        else:
            _end_without_challenger(context, trial, reason)
    _end_lost_suggestion(context, champion)
    if moves:
        current += _begin_probation(context, champion, moves[-1])
    return current


def begin_challenge(context: Context, champion: ModelVersion, challenger: ModelVersion) -> Trial:
    """Begin to compare a challenger with the champion on the rows that neither was trained on.

    Asking twice for the same pair gives the trial that runs.
    """
    spec = context.spec
    for running in read_trials(context.session, context.project, TrialState.RUNNING):
        if (running.champion, running.challenger) == (champion.version, challenger.version):
            return running
    trial = Trial(
        project=context.project,
        purpose=TrialPurpose.CHALLENGE,
        champion=champion.version,
        challenger=challenger.version,
        started_at=clock.now(),
        from_at=max(
            unseen_from(champion, spec.unit, spec.horizon),
            unseen_from(challenger, spec.unit, spec.horizon),
        ),
    )
    write_trial(context.session, trial)
    _limit_challengers(context, champion)
    return trial


def judge_trial(context: Context, trial: Trial) -> Trial:
    """Look at one trial's evidence, act on it, and return the trial as it stands then."""
    spec = context.spec
    pairs = paired_losses(
        context.session,
        context.project,
        trial.champion,
        trial.challenger,
        spec.unit,
        spec.horizon,
        trial.from_at,
    )
    comparison = compare_pairs(pairs, spec.horizon, spec.evaluation.gate_alpha)
    if comparison is None:
        return trial
    state, note = _next_state(context, trial, comparison)
    evidence = comparison.evidence()
    if note:
        evidence["words"] = f"{comparison.words}; {note}"
    judged = replace(trial, state=state, evidence=evidence, changed_at=clock.now())
    _record_verdict(context, trial, judged, comparison)
    try:
        _act(context, judged)
    except ProductionMoved as error:  # while it was compared; the next look is at the new champion
        log.warning("the verdict is not acted on: %s", error.message)
        judged = replace(judged, state=TrialState.CANCELLED)
    write_trial(context.session, judged)
    return judged


def _next_state(context: Context, trial: Trial, comparison: Comparison) -> tuple[TrialState, str]:
    """Return what a look leads to, and what holds a better challenger back, in words."""
    evaluation, verdict = context.spec.evaluation, comparison.verdict
    if trial.purpose is TrialPurpose.PROBATION:
        if verdict.verdict is Verdict.BETTER:
            return TrialState.RESTORED, ""
        is_over = verdict.verdict is Verdict.WORSE or verdict.rows >= evaluation.probation_rows
        return TrialState.PASSED if is_over else TrialState.RUNNING, ""
    if verdict.is_promotable:
        if context.promotion != "auto":
            return TrialState.BETTER, ""
        if lacking := comparison.lacks_live_evidence(evaluation.gate_live_rows):
            return TrialState.RUNNING, lacking
        challenger = context.registry.version(context.project, trial.challenger)
        if doubt := doubt_about(context, challenger):
            return TrialState.BETTER, f"held for a person: {doubt}, then promote it or reject it"
        return TrialState.PROMOTED, ""
    if verdict.verdict is Verdict.WORSE:
        return TrialState.WORSE, ""
    is_over = verdict.rows >= evaluation.trial_rows
    return TrialState.UNDECIDED if is_over else TrialState.RUNNING, ""


def _act(context: Context, judged: Trial) -> None:
    registry, project = context.registry, context.project
    if judged.state is TrialState.PROMOTED:
        champion = judged.champion
        promote(context, judged.challenger, judged.words, seen=champion, deposed=champion)
    elif judged.state is TrialState.RESTORED:
        registry.restore(project, judged.challenger, seen=judged.champion)
        context.record(
            EventKind.ROLLED_BACK,
            f"version {judged.challenger} is back in production, version {judged.champion} failed its"
            f" probation: {judged.words}",
            {
                "version": judged.challenger,
                "previous": judged.champion,
                "reason": "probation",
                **judged.evidence,
            },
            Severity.WARNING,
        )
    elif judged.state is TrialState.BETTER:
        registry.set_challenger(project, judged.challenger, seen=judged.champion)


def promote(context: Context, version: int, reason: str, *, seen: int, deposed: int = 0) -> None:
    """Put a version into production and record why; the deposed one, if any, goes on in the shadow.

    Raises:
        ProductionMoved: another version than `seen` (0: none) is in production.
    """
    context.registry.promote(context.project, version, seen=seen)
    context.record(
        EventKind.PROMOTED,
        f"version {version} is in production: {reason}",
        {"version": version, "previous": deposed, "reason": reason},
    )


def hold(context: Context, version: int, doubt: str, *, seen: int) -> None:
    """Name a version the challenger and leave it to a person, with the reason.

    Raises:
        ProductionMoved: another version than `seen` (0: none) is in production.
    """
    registry, project = context.registry, context.project
    registry.set_challenger(project, version, seen=seen)
    registry.set_tags(project, version, {STATE: HELD, "gate.words": doubt})
    context.record(
        EventKind.MODEL_HELD,
        f"version {version} is held for a person: {doubt}, then promote it or reject it",
        {"version": version, "reason": doubt},
        Severity.WARNING,
    )


def _record_verdict(context: Context, before: Trial, judged: Trial, comparison: Comparison) -> None:
    """Record a verdict that is new; the tags on the version follow every look."""
    verdict = comparison.verdict
    is_news = (
        not before.evidence
        or judged.state is not TrialState.RUNNING
        or _word(before) != verdict.verdict.value
    )
    if is_news:
        context.record(
            EventKind.GATE_VERDICT,
            f"{judged.purpose.value}: version {judged.challenger} against version"
            f" {judged.champion}: {judged.words}",
            {
                "suggests": judged.state is TrialState.BETTER and context.promotion != "manual",
                "challenger": judged.challenger,
                "champion": judged.champion,
                "purpose": judged.purpose.value,
                "state": judged.state.value,
                **judged.evidence,
            },
        )
    tags = {
        "gate.verdict": verdict.verdict.value,
        STATE: judged.state.value,
        "gate.purpose": judged.purpose.value,
        "gate.against": str(judged.champion),
        "gate.rows": f"{verdict.rows} ({comparison.live_rows} live)",
        "gate.improvement": f"{verdict.improvement:.6f}",
        "gate.p_value": f"{verdict.p_value:.6g}",
        "gate.rows_needed": str(verdict.rows_needed or ""),
        "gate.harmed": ", ".join(verdict.harmed),
        "gate.words": judged.words,
    }
    context.registry.set_tags(context.project, judged.challenger, tags)


def _word(trial: Trial) -> str:
    verdict = trial.evidence.get("verdict")
    return str(verdict.get("verdict", "")) if isinstance(verdict, dict) else ""


def _end_overtaken(context: Context, trial: Trial, champion: ModelVersion) -> None:
    """End a trial whose champion is no longer in production; a younger challenger begins anew."""
    is_in = trial.challenger == champion.version
    is_challenge = trial.purpose is TrialPurpose.CHALLENGE
    state = TrialState.PROMOTED if is_in and is_challenge else TrialState.CANCELLED
    write_trial(context.session, replace(trial, state=state, changed_at=clock.now()))
    if is_challenge and trial.challenger > champion.version:
        challenger = serving_version(context, trial.challenger)
        if challenger is not None:
            begin_challenge(context, champion, challenger)


def _end_without_challenger(context: Context, trial: Trial, reason: str) -> None:
    write_trial(context.session, replace(trial, state=TrialState.CANCELLED, changed_at=clock.now()))
    meaning = (
        "the new champion's probation ends without a verdict"
        if trial.purpose is TrialPurpose.PROBATION
        else "it is compared with the champion no more"
    )
    words = f"version {trial.challenger} {reason}: {meaning}"
    record_change(context, trial.purpose.value, trial.challenger, words, champion=trial.champion)


def _end_lost_suggestion(context: Context, champion: ModelVersion) -> None:
    """End a challenge that waits for an operator when its version was deleted or no alias names it."""
    waiting = read_trials(context.session, context.project, TrialState.BETTER, limit=1)
    if not waiting or waiting[0].champion != champion.version:
        return
    trial = waiting[0]
    reason = _why_gone(context, trial.challenger)
    if not reason and _has_challenger(context):
        return
    if context.is_registry_away:
        return
    write_trial(context.session, replace(trial, state=TrialState.CANCELLED, changed_at=clock.now()))
    reason = reason or "lost the alias challenger in MLflow"
    words = f"version {trial.challenger} {reason}: it waits for a promotion no more"
    record_change(context, CHALLENGER, trial.challenger, words, champion=trial.champion)


def _has_challenger(context: Context) -> bool:
    try:
        context.models.challenger(context.project)
    except ModelNotFound:
        return False
    return True


def _begin_probation(context: Context, champion: ModelVersion, move: Event) -> list[Trial]:
    deposed = move.details.get("previous")
    if (
        move.kind is not EventKind.PROMOTED
        or move.details.get("version") != champion.version
        or not isinstance(deposed, int)
        or not deposed
        or any(trial.started_at == move.at for trial in _probations(context))
    ):
        return []
    previous = serving_version(context, deposed)
    newest_at = newest_row_at(context.session, context.project, context.spec)
    if previous is None or newest_at is None:
        return []
    width = timedelta(minutes=context.spec.unit)
    trial = Trial(
        project=context.project,
        purpose=TrialPurpose.PROBATION,
        champion=champion.version,
        challenger=deposed,
        started_at=move.at,
        from_at=max(newest_at + width, _unseen(context, champion, previous)),
    )
    write_trial(context.session, trial)
    return [trial]


def _unseen(context: Context, *versions: ModelVersion) -> datetime:
    return max(
        unseen_from(version, context.spec.unit, context.spec.horizon) for version in versions
    )


def _probations(context: Context) -> list[Trial]:
    trials = read_trials(context.session, context.project)
    return [trial for trial in trials if trial.purpose is TrialPurpose.PROBATION]


def twin_of(context: Context, champion: ModelVersion) -> int:
    """Return the version that would be in production had nobody retrained: the config's first champion.

    One that was deleted, or that learnt from rows of other code, gives its place to the champion.
    """
    identity = json.dumps(identity_tags(context.spec), sort_keys=True)
    config = hashlib.sha256(identity.encode()).hexdigest()
    session, project, now_at = context.session, context.project, clock.now()
    twin = claim_twin(session, project, config, champion.version, now_at)
    are_copies = context.is_registry_away or context.resources.warm_models is not None
    if twin == champion.version or are_copies or not (reason := _why_gone(context, twin)):
        return twin
    replace_twin(session, project, config, champion.version, now_at)
    context.record(
        EventKind.RETRAIN_ACCOUNTED,
        f"version {twin}, the frozen twin, {reason}: version {champion.version} takes its place, and what"
        " retraining gains is counted anew",
        {"twin": twin, "version": champion.version},
        Severity.WARNING,
    )
    return champion.version


def serving_version(context: Context, number: int) -> ModelVersion | None:
    """Return a version that serves the config; None when it is gone, of another config or refused."""
    if _why_gone(context, number):
        return None
    with suppress(ModelNotFound):  # copies know only the versions that have an alias
        return context.models.version(context.project, number)
    return None


def _why_gone(context: Context, number: int) -> str:
    """Return in words why a version forecasts no more, "" when it does or copies stand in for MLflow."""
    try:
        version = context.models.version(context.project, number)
    except ModelNotFound:
        return "" if context.is_registry_away else "was deleted in MLflow"
    if reason := why_not_serving(context, version):
        return reason
    return "" if is_usable(context, version) else "has files that are not what was registered"


def _limit_challengers(context: Context, champion: ModelVersion) -> None:
    """End the challenges with the weakest evidence beyond the allowed number; the newest one stays."""
    running = [
        trial
        for trial in read_trials(context.session, context.project, TrialState.RUNNING)
        if trial.purpose is TrialPurpose.CHALLENGE and trial.champion == champion.version
    ]
    weakest_last = sorted(running[1:], key=_p_value)
    for trial in weakest_last[context.spec.evaluation.max_challengers - 1 :]:
        ended = replace(trial, state=TrialState.SUPERSEDED, changed_at=clock.now())
        write_trial(context.session, ended)
        tags = {STATE: ended.state.value}
        context.registry.set_tags(context.project, trial.challenger, tags)


def _p_value(trial: Trial) -> float:
    verdict = trial.evidence.get("verdict")
    return float(verdict.get("p_value", _WEAKEST)) if isinstance(verdict, dict) else _WEAKEST
