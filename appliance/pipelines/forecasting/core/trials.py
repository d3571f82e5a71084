"""Trials: challengers and the deposed champion forecast in the shadow until the evidence decides."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import replace
from datetime import datetime, timedelta

from appliance import clock
from appliance.domain.event import Event, EventKind, Severity
from appliance.domain.model_version import ModelVersion
from appliance.domain.trial import Trial, TrialPurpose, TrialState
from appliance.errors import ModelNotFound, ProductionMoved
from appliance.pipelines.context import Json, StageContext, StageSkipped
from appliance.pipelines.forecasting.evaluator.comparison import Comparison, compare_pairs
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.loader.feature_loader import newest_row_at
from appliance.pipelines.forecasting.serving import (
    identity_tags,
    is_of_config,
    serves,
    unseen_from,
)
from appliance.registry.promotion import Verdict
from store.events import read_events
from store.retrains import claim_twin, replace_twin
from store.trials import paired_losses, read_trials, write_trial

Context = StageContext[ForecastSpec]

log = logging.getLogger(__name__)

_MOVES = (EventKind.PROMOTED, EventKind.ROLLED_BACK)
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
    moves = read_events(session, limit=1, kinds=list(_MOVES), project=project)
    running = read_trials(session, project, TrialState.RUNNING)
    current = [trial for trial in running if trial.champion == champion.version]
    for trial in running:
        if trial.champion != champion.version:
            _end_overtaken(context, trial, champion)
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
        from_at=max(unseen_from(champion, spec), unseen_from(challenger, spec)),
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
        if doubt := _doubt(context, trial.challenger):
            return TrialState.BETTER, doubt
        return TrialState.PROMOTED, ""
    if verdict.verdict is Verdict.WORSE:
        return TrialState.WORSE, ""
    is_over = verdict.rows >= evaluation.trial_rows
    return TrialState.UNDECIDED if is_over else TrialState.RUNNING, ""


def _doubt(context: Context, challenger: int) -> str:
    """Return in words why a person has to look at a challenger's skill, "" when it can be believed."""
    own = best = None
    for version in context.registry.versions(context.project):
        skill = version.metrics.get("skill_ewma")
        if skill is None or not is_of_config(version, context.spec):
            continue
        if version.version == challenger:
            own = skill
        else:
            best = skill if best is None else max(best, skill)
    if own is None or best is None or own - best <= context.spec.evaluation.most_skill_gain:
        return ""
    return (
        f"held for a person: skill {100 * own:+.1f} % over EWMA, where this config never had more than"
        f" {100 * best:+.1f} %; look for a leak, then promote it or reject it"
    )


def _act(context: Context, judged: Trial) -> None:
    registry, project = context.registry, context.project
    if judged.state is TrialState.PROMOTED:
        promote(context, judged.challenger, judged.words, judged.champion)
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
        registry.set_challenger(project, judged.challenger)


def promote(context: Context, version: int, reason: str, deposed: int = 0) -> None:
    """Put a version into production and record why; the deposed one, if any, goes on in the shadow."""
    context.registry.promote(context.project, version, seen=deposed or None)
    context.record(
        EventKind.PROMOTED,
        f"version {version} is in production: {reason}",
        {"version": version, "previous": deposed, "reason": reason},
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
        "gate.state": judged.state.value,
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
    return max(unseen_from(version, context.spec) for version in versions)


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
    if twin == champion.version or are_copies or serving_version(context, twin) is not None:
        return twin
    if context.is_registry_away:  # found out just now: copies know nothing of the twin
        return twin
    replace_twin(session, project, config, champion.version, now_at)
    context.record(
        EventKind.RETRAIN_ACCOUNTED,
        f"version {twin}, the frozen twin, can no longer forecast: it was deleted, or learnt from rows of"
        f" other code; version {champion.version} takes its place, and what retraining gains is counted anew",
        {"twin": twin, "version": champion.version},
        Severity.WARNING,
    )
    return champion.version


def serving_version(context: Context, number: int) -> ModelVersion | None:
    """Return a version that serves the config; None when it is gone or of another config."""
    try:
        version = context.models.version(context.project, number)
    except ModelNotFound:
        return None
    return version if serves(context, version) else None


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
        tags = {"gate.state": ended.state.value}
        context.registry.set_tags(context.project, trial.challenger, tags)


def _p_value(trial: Trial) -> float:
    verdict = trial.evidence.get("verdict")
    return float(verdict.get("p_value", _WEAKEST)) if isinstance(verdict, dict) else _WEAKEST
