"""What each problem means, what to do about it, and where its evidence is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from appliance.control.api import Problem, ProjectStatus
from appliance.domain.coverage import MarketCoverage
from appliance.domain.feed import Feed
from appliance.domain.workflow import WorkflowKind
from appliance.tui.presentation.evidence import (
    CandlesOf,
    ComparisonOf,
    CoverageOf,
    Evidence,
    ModelHealthOf,
    Nothing,
    RunsOf,
    ServiceLogAt,
    TaskLogOf,
    VersionOf,
)
from appliance.tui.presentation.explanation import Explanation, Step
from appliance.tui.state import Board

Find = Callable[[Problem, Board], Evidence]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a problem's code says whatever its subject is; `keys` do something about it from here."""

    meaning: str
    find: Find
    keys: tuple[Step, ...] = ()


def explain_problem(problem: Problem, board: Board) -> Explanation:
    """Return what a problem is, what follows from it, what to do and where it is seen."""
    rule = RULES.get(problem.code, UNKNOWN_CODE)
    return Explanation(
        what=problem.message,
        meaning=rule.meaning,
        steps=(*rule.keys, Step(problem.hint)) if problem.hint else rule.keys,
        since_at=problem.since_at,
        rests_on=_facts(problem, board),
        evidence=rule.find(problem, board),
        name=problem.code,
    )


def explain_gap(coverage: MarketCoverage | None, feed: Feed) -> CoverageOf:
    """Return the newest open gap of a market as evidence."""
    gaps = coverage.gaps if coverage else ()
    newest = max(gaps, key=lambda gap: gap.start_at, default=None)
    return CoverageOf(*feed, newest.start_at if newest else None)


def _project(problem: Problem, board: Board) -> ProjectStatus | None:
    status = board.status.value
    name = problem.subject.split(".")[0]
    return next((p for p in (status.projects if status else ()) if p.name == name), board.project)


def _facts(problem: Problem, board: Board) -> tuple[str, ...]:
    """Return what is known now of the thing that the problem is about."""
    status = board.status.value
    project = _project(problem, board) if problem.subject else None
    services = (
        f"{service.name}: {service.observed.value}, {service.restarts} restarts;"
        f" the probe says: {service.reason or 'nothing'}"
        for service in (status.services if status else ())
        if service.name == problem.subject
    )
    runs = (
        f"run {workflow.last_run.run_id}: {workflow.last_run.state.value}"
        for workflow in (project.workflows if project else ())
        if problem.subject.endswith(f".{workflow.kind.value}") and workflow.last_run is not None
    )
    return (*services, *runs)


def _log(service: str) -> Find:
    return lambda problem, _: ServiceLogAt(service, problem.since_at)


def _own_log(problem: Problem, _: Board) -> Evidence:
    return ServiceLogAt(problem.subject, problem.since_at)


def _kind(problem: Problem) -> WorkflowKind:
    word = problem.subject.rpartition(".")[2]
    return (
        WorkflowKind(word) if word in {kind.value for kind in WorkflowKind} else WorkflowKind.DATA
    )


def _failed_task(problem: Problem, board: Board) -> Evidence:
    project, kind = _project(problem, board), _kind(problem)
    runs = [w.last_run for w in (project.workflows if project else ()) if w.kind is kind]
    run = next((run for run in runs if run is not None), None)
    name = project.name if project else problem.subject.split(".")[0]
    return TaskLogOf(name, kind, run.run_id if run else "")


def _runs(problem: Problem, _: Board) -> Evidence:
    return RunsOf(_kind(problem))


def _training(problem: Problem, board: Board) -> Evidence:
    project = _project(problem, board)
    for workflow in project.workflows if project else ():
        is_failed = workflow.last_run is not None and workflow.last_run.has_failed
        if workflow.kind is WorkflowKind.TRAIN and is_failed and workflow.last_run is not None:
            name = project.name if project else ""
            return TaskLogOf(name, WorkflowKind.TRAIN, workflow.last_run.run_id)
    return RunsOf(WorkflowKind.TRAIN)


def _feed(problem: Problem, board: Board) -> Feed | None:
    """The market and timeframe of a subject such as `KRW-BTC-60` or `KRW-BTC`, else the chart's."""
    for market, unit in board.feeds:
        if problem.subject in (f"{market}-{unit}", market):
            return Feed(market, unit)
    return board.feed


def _gap(problem: Problem, board: Board) -> Evidence:
    feed = _feed(problem, board)
    if feed is None:
        return Nothing()
    known = board.market_of(feed)
    return explain_gap(known.coverage if known else None, feed)


def _candles(problem: Problem, board: Board) -> Evidence:
    project = _project(problem, board)
    return CandlesOf(project.market, project.unit) if project else Nothing()


def _coverage(problem: Problem, board: Board) -> Evidence:
    feed = _feed(problem, board)
    return CoverageOf(*feed) if feed else Nothing()


def _version(problem: Problem, board: Board) -> Evidence:
    number = problem.subject.rpartition(".")[2]
    project = _project(problem, board)
    newest = project.newest_version if project else None
    return VersionOf(int(number) if number.isdigit() else newest or 0)


def _pair(problem: Problem, _: Board) -> Evidence:
    numbers = [int(part) for part in problem.subject.split(".")[-2:] if part.isdigit()]
    return ComparisonOf(*numbers) if len(numbers) == 2 else VersionOf()


_HEALTH: Find = lambda _problem, _board: ModelHealthOf()  # noqa: E731
_WORDS: Find = lambda _problem, _board: Nothing()  # noqa: E731
_RESTART = Step("restart the service", "restart")
_RETRAIN = Step("train anew now", "retrain")
_PROMOTE = Step("put another version into production", "promote")
_ROLL_BACK = Step("go back to the model before", "roll_back")
_REPAIR = Step("fetch what is missing at once", "repair")
_RUN = Step("run the workflow again", "run")
_DATA = "Candles are not lost: what is missing stays a gap until the exchange has proven it."
_ALERTS = "Slack is not told of what happens; the events on this screen are complete."

UNKNOWN_CODE = Rule("This version of the console has no words of its own for it.", _WORDS)
RULES: Mapping[str, Rule] = {
    "service.given_up": Rule(
        "The supervisor has stopped restarting it. What depends on it stands still.",
        _own_log,
        (_RESTART,),
    ),
    "service.unhealthy": Rule(
        "It runs and does not answer its probe; the supervisor replaces it when that lasts.",
        _own_log,
        (_RESTART,),
    ),
    "service.silent": Rule(
        "What the screens show of it is of before; nothing is known of now.", _own_log, (_RESTART,)
    ),
    "disk.low": Rule(
        "When the disk is full the store, MLflow and Airflow cannot write and fail.", _WORDS
    ),
    "config.project": Rule(
        "Nothing runs for this project until its configuration can be read.", _log("supervisor")
    ),
    "config.ingest": Rule(
        "The ingestor keeps the configuration before; changes of markets have no effect yet.",
        _log("ingestor"),
    ),
    "live.config": Rule(
        "The forecaster keeps the configuration before; changes have no effect on live forecasts.",
        _log("forecaster"),
    ),
    "ingest.silent": Rule(f"No candle comes in. {_DATA}", _log("ingestor"), (_RESTART,)),
    "ingest.late": Rule(
        f"Forecasts are made from older candles than they should be. {_DATA}",
        _log("ingestor"),
        (_REPAIR,),
    ),
    "ingest.unsaved": Rule(
        f"Candles arrive and the store does not take them. {_DATA}", _log("store")
    ),
    "source.blocked": Rule(
        f"The exchange refuses this host for a while. {_DATA}", _log("ingestor")
    ),
    "source.garbled": Rule(
        f"A proxy or a maintenance page answers in the exchange's place. {_DATA}", _log("ingestor")
    ),
    "source.unreachable": Rule(f"The network or the exchange is down. {_DATA}", _log("ingestor")),
    "source.rejected": Rule(
        "The exchange does not know this market; what is stored of it stays.", _coverage
    ),
    "stream.silent": Rule(
        "The price on the screen stands still; closed candles still arrive by REST.",
        _log("ingestor"),
    ),
    "stream.down": Rule(
        "The price on the screen stands still; closed candles still arrive by REST.",
        _log("ingestor"),
    ),
    "data.gaps": Rule(
        "Features that reach over the gap are not made, so forecasts and training miss those rows.",
        _gap,
        (_REPAIR,),
    ),
    "dag.import_error": Rule(
        "Airflow cannot read the file, so it starts no run of this workflow.",
        _log("airflow-dag-processor"),
    ),
    "task.not_started": Rule(
        "Airflow wants to run the task and cannot; the task's own log is empty, the scheduler's is not.",
        _log("airflow-scheduler"),
        (_RESTART,),
    ),
    "workflow.paused": Rule(
        "Airflow starts no run of it until somebody unpauses it.", _runs, (_RUN,)
    ),
    "workflow.failed": Rule(
        "The run stopped at a task; what comes after it was not done. The next run tries again.",
        _failed_task,
        (_RUN,),
    ),
    "model.first_training": Rule("A first start: nothing to do but wait.", _training),
    "model.no_champion": Rule(
        "No forecast is made until a version is in production.", _training, (_RETRAIN, _PROMOTE)
    ),
    "model.held": Rule(
        "A first model that looks too good may know the future by mistake; a person decides.",
        _version,
        (_PROMOTE, Step("reject it", "reject")),
    ),
    "model.other_config": Rule(
        "The model answers another question than the configuration asks, so it is not used.",
        _version,
        (_RETRAIN,),
    ),
    "model.refused": Rule(
        "Its files are not those that were registered. Nobody should trust it.",
        _version,
        (_RETRAIN,),
    ),
    "model.stale": Rule(
        "The model has outlived its life; the market may have moved on.", _HEALTH, (_RETRAIN,)
    ),
    "model.coverage": Rule(
        "The intervals are too narrow or too wide: their width cannot be relied on.",
        _HEALTH,
        (_RETRAIN, _ROLL_BACK),
    ),
    "model.loss": Rule(
        "The model forecasts worse than any window it was tested on, the market's swing accounted for.",
        _HEALTH,
        (_RETRAIN, _ROLL_BACK),
    ),
    "model.unjudged": Rule(
        "Whether the model is good cannot be told from these outcomes.", _candles
    ),
    "comparison.starved": Rule(
        "The two versions cannot be told apart without new outcomes that both forecast.", _pair
    ),
    "retrain.parked": Rule(
        "The appliance wants to train and keeps to its budget, so that it does not train for ever.",
        _HEALTH,
        (_RETRAIN,),
    ),
    "forecast.stale": Rule(
        "Candles have come that no forecast was made from.", _log("forecaster"), (_RUN,)
    ),
    "live.failing": Rule(
        "Forecasts come from the workflow instead, some seconds later.", _log("forecaster")
    ),
    "live.model": Rule(
        "Live forecasts come from an older version than the one in production.", _log("forecaster")
    ),
    "live.registry": Rule("Forecasts go on from a copy of the model.", _log("mlflow")),
    "recorder.stopped": Rule(
        "What the screens show now is not kept, so it cannot be looked at later; nothing else stops.",
        _log("supervisor"),
    ),
    "slack.config": Rule(_ALERTS, _log("supervisor")),
    "slack.refused": Rule(_ALERTS, _log("supervisor")),
    "slack.undelivered": Rule(_ALERTS, _log("supervisor")),
}
"""By code; every code of `control/checks/` is here."""
