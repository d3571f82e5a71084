"""What each kind of event means, what may be done about it, and where its evidence is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from appliance.control.api import Problem
from appliance.domain.event import Event, EventKind, Severity
from appliance.domain.workflow import WorkflowKind
from appliance.tui.presentation.evidence import (
    CandlesOf,
    ComparisonOf,
    CoverageOf,
    Evidence,
    FeatureOf,
    ModelHealthOf,
    Nothing,
    RunsOf,
    ServiceLogAt,
    TaskLogOf,
    VersionOf,
)
from appliance.tui.presentation.explanation import Explanation, Step
from appliance.tui.presentation.why_problems import explain_problem
from appliance.tui.state import Board

Find = Callable[[Event, Board], Evidence]
_STYLES = {Severity.ERROR: "bad", Severity.WARNING: "warning", Severity.INFO: "plain"}


@dataclass(frozen=True, slots=True)
class Rule:
    """What an event's kind says whatever happened; `keys` do something about it from here."""

    meaning: str
    find: Find
    keys: tuple[Step, ...] = ()


def explain_event(event: Event, board: Board) -> Explanation:
    """Return what happened, what follows from it, what may be done and where it is seen."""
    rule = RULES[event.kind]
    evidence, keys, meaning = rule.find(event, board), rule.keys, rule.meaning
    if event.kind is EventKind.PROBLEM_FOUND:
        problem = _problem(event)
        known = explain_problem(problem, board)
        evidence, keys, meaning = known.evidence, known.steps, known.meaning
    steps = keys or (Step("nothing to do: it is done"),)
    return Explanation(
        what=event.summary,
        meaning=meaning,
        steps=steps,
        since_at=event.at,
        actor=event.done_by,
        evidence=evidence,
        name=" · ".join(part for part in (event.kind.value, event.project) if part),
        style=_STYLES[event.severity],
    )


def _problem(event: Event) -> Problem:
    told = {key: str(event.details.get(key, "")) for key in ("code", "subject", "hint")}
    return Problem(told["code"], event.summary, told["hint"], event.at, told["subject"])


def _text(event: Event, name: str) -> str:
    value = event.details.get(name)
    return value if isinstance(value, str) else ""


def _number(event: Event, *names: str) -> int:
    found = (event.details.get(name) for name in names)
    return next((value for value in found if isinstance(value, int)), 0)


def _instant(event: Event, name: str) -> datetime | None:
    try:
        return datetime.fromisoformat(_text(event, name))
    except ValueError:
        return None


def _kind(event: Event, otherwise: WorkflowKind) -> WorkflowKind:
    word = _text(event, "workflow")
    return WorkflowKind(word) if word in {kind.value for kind in WorkflowKind} else otherwise


def _service(event: Event, board: Board) -> Evidence:
    status = board.status.value
    named = _text(event, "service") or next(
        (
            service.name
            for service in (status.services if status else ())
            if event.summary.startswith(f"{service.name} ")
        ),
        "supervisor",
    )
    return ServiceLogAt(named, event.at)


def _log(service: str) -> Find:
    return lambda event, _: ServiceLogAt(service, event.at)


def _coverage(event: Event, board: Board) -> Evidence:
    market, unit = _text(event, "market"), _number(event, "unit")
    if market and unit:
        return CoverageOf(market, unit, _instant(event, "start_at"))
    return CoverageOf(*board.feed) if board.feed else Nothing()


def _quality(event: Event, board: Board) -> Evidence:
    """Missing rows are gaps; a jump or a price that stands is seen on the candles."""
    if (project := board.project) is None:
        return Nothing()
    codes = event.details.get("codes")
    if isinstance(codes, list) and "gaps" in codes and "price_jump" not in codes:
        return CoverageOf(project.market, project.unit)
    return CandlesOf(project.market, project.unit, _instant(event, "jump_at") or event.at)


def _version(event: Event, _: Board) -> Evidence:
    return VersionOf(_number(event, "version", "model_version", "challenger"))


def _pair(event: Event, _: Board) -> Evidence:
    champion = _number(event, "champion", "previous", "seen")
    challenger = _number(event, "challenger", "version", "model_version")
    if champion and challenger and champion != challenger:
        return ComparisonOf(champion, challenger)
    return VersionOf(challenger or champion)


def _feature(event: Event, _: Board) -> Evidence:
    drifted = event.details.get("drifted")
    is_named = isinstance(drifted, list) and drifted
    return FeatureOf(str(drifted[0]) if is_named and isinstance(drifted, list) else "")


def _failed_task(event: Event, board: Board) -> Evidence:
    project = event.project or (board.project.name if board.project else "")
    kind = _kind(event, WorkflowKind.DATA)
    return TaskLogOf(project, kind, _text(event, "run_id"), _text(event, "task"))


def _runs(event: Event, _: Board) -> Evidence:
    return RunsOf(_kind(event, WorkflowKind.TRAIN))


_HEALTH: Find = lambda _event, _board: ModelHealthOf()  # noqa: E731
_WORDS: Find = lambda _event, _board: Nothing()  # noqa: E731
_RETRAIN = Step("train anew now", "retrain")
_PROMOTE = Step("put another version into production", "promote")
_ROLL_BACK = Step("undo: go back to the model before", "roll_back")
_REPAIR = Step("fetch what is missing at once", "repair")
_RUN = Step("run the workflow again", "run")
_SLACK = Step("`appliance alerts` shows what waits; the palette sends a test")

RULES: Mapping[EventKind, Rule] = {
    EventKind.SERVICE_STATE: Rule(
        "A process changed its state; the supervisor restarts what dies.",
        _service,
        (Step("restart it, if it does not come back", "restart"),),
    ),
    EventKind.SERVICE_GIVEN_UP: Rule(
        "The supervisor has stopped restarting it. What depends on it stands still.",
        _service,
        (Step("restart it", "restart"),),
    ),
    EventKind.SOURCE_CHOSEN: Rule(
        "Candles come from this source from now on; one home never mixes sources.", _log("ingestor")
    ),
    EventKind.BACKFILLED: Rule("History was loaded and is proven complete.", _coverage),
    EventKind.GAP_FOUND: Rule(
        "These candles are unknown until the exchange has proven them; nothing is made up.",
        _coverage,
        (_REPAIR,),
    ),
    EventKind.GAP_REPAIRED: Rule(
        "The exchange has proven the candles that were missing.", _coverage
    ),
    EventKind.AUDITED: Rule(
        "Stored candles were compared with the exchange once more; what differed was corrected.",
        _coverage,
    ),
    EventKind.MARKET_ADDED: Rule("Its candles are ingested from now on.", _coverage),
    EventKind.MARKET_REMOVED: Rule("Its candles stay stored; no new ones come.", _coverage),
    EventKind.QUALITY_CHECKED: Rule(
        "Rows of poor quality are not trained on; those with warnings are.", _quality, (_REPAIR,)
    ),
    EventKind.TRAINED: Rule(
        "A new version is registered; it is compared before it can go into production.", _version
    ),
    EventKind.GATE_VERDICT: Rule(
        "The gate compares two versions on rows that neither has seen; it promotes on evidence only.",
        _pair,
        (_PROMOTE,),
    ),
    EventKind.PROMOTED: Rule(
        "This version makes every forecast from now on.", _pair, (_ROLL_BACK,)
    ),
    EventKind.ROLLED_BACK: Rule(
        "The earlier version makes every forecast again.", _pair, (_PROMOTE,)
    ),
    EventKind.REJECTED: Rule("The version is not compared any more.", _pair, (_PROMOTE,)),
    EventKind.MODEL_HELD: Rule(
        "A first model that looks too good may know the future by mistake; a person decides.",
        _version,
        (_PROMOTE, Step("reject it", "reject")),
    ),
    EventKind.FILES_REMOVED: Rule(
        "Files that nothing uses were removed; champion, challenger and rollback target keep theirs.",
        _version,
    ),
    EventKind.MODEL_REFUSED: Rule(
        "Its files are not those that were registered. Nobody should trust it.",
        _version,
        (_RETRAIN,),
    ),
    EventKind.MODEL_UNPROVEN: Rule(
        "The version has no digest from its training; it is held to what was loaded first.",
        _version,
    ),
    EventKind.REGISTRY_CHANGED: Rule(
        "Somebody changed versions, aliases or tags in MLflow's own page; it is obeyed.",
        _version,
        (_PROMOTE,),
    ),
    EventKind.DRIFT_VERDICT: Rule(
        "The market is unlike what the model was trained on, or is again like it.", _feature
    ),
    EventKind.RETRAIN_DECIDED: Rule(
        "The appliance decides by itself whether a training is worth it, and says why.", _HEALTH
    ),
    EventKind.RETRAIN_ACCOUNTED: Rule(
        "What retraining was worth, against a model left alone.", _HEALTH
    ),
    EventKind.WORKFLOW_UNPAUSED: Rule("Airflow starts runs of it again.", _runs),
    EventKind.PROJECT_SWITCHED: Rule(
        "A disabled project runs, forecasts and alerts nothing.",
        _runs,
        (Step("switch it again", "switch_project"),),
    ),
    EventKind.PROBLEM_FOUND: Rule("Something needs you.", _WORDS),
    EventKind.WORKFLOW_REQUESTED: Rule("A run was asked for beside the schedule.", _runs),
    EventKind.WORKFLOW_FAILED: Rule(
        "The run stopped at a task; what comes after it was not done. The next run tries again.",
        _failed_task,
        (_RUN,),
    ),
    EventKind.ALERT_SENT: Rule("Slack has taken the message.", _log("supervisor")),
    EventKind.ALERT_FAILED: Rule(
        "Slack has not taken the message; it is tried again.", _log("supervisor"), (_SLACK,)
    ),
}
"""By kind; every `EventKind` is here."""
