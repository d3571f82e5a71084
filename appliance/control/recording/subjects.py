"""What the recorder reads beside the stream, and when: once what the status says of it has changed.

Everything that a screen reads by itself is read here too, so that it is recorded while nobody looks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from appliance import clock
from appliance.control import wire
from appliance.control.api import ApplianceStatus, Control, MarketStatus, ProjectStatus
from appliance.control.hub import Hub
from appliance.control.recording.log_pages import LOG_LINES
from appliance.control.recording.state import CANDLES_KEPT, EVENTS, EVENTS_KEPT, subject_of
from appliance.domain.chart import ChartInfo
from appliance.domain.workflow import DagRun, RunState, WorkflowKind, WorkflowStatus
from appliance.errors import ApplianceError

Hear = Callable[[str, Mapping[str, object], bytes | ApplianceError], None]

FORECASTS, RUNS, CHART_POINTS = 120, 30, 240
"""As many as the screens read."""
TICK_SECONDS = 0.5
SHARE = 6.0
"""A read is followed by so many times its own duration without one, within limits."""
MOST_PAUSE_SECONDS = 2.0
"""So that on a busy machine what is recorded is seconds old, and not minutes."""
CHART_SECONDS = 300.0
LEAST_SECONDS, REFRESH_SECONDS, RETRY_SECONDS = 2.0, 600.0, 10.0


@dataclass(frozen=True, slots=True)
class Subject:
    """One read: operation and arguments, and what says that its answer may be another one."""

    operation: str
    arguments: Mapping[str, Any]
    signature: object

    @property
    def name(self) -> str:
        """The subject's name in the recording."""
        return subject_of(self.operation, self.arguments)


@dataclass(slots=True)
class _Known:
    signature: object
    read_at: float
    has_failed: bool = False


def subjects_of(status: ApplianceStatus, stat_log: Callable[[str], object]) -> Iterator[Subject]:
    """Yield what there is to read of an appliance, the most telling first."""
    yield Subject(EVENTS, {}, None)
    for project in status.projects:
        yield from _of_project(project, status)
    for market in status.markets:
        yield from _of_market(market)
    for name in [*(service.name for service in status.services), "supervisor"]:
        yield Subject("service_log", {"name": name, "lines": LOG_LINES}, stat_log(name))


def _of_project(project: ProjectStatus, status: ApplianceStatus) -> Iterator[Subject]:
    name, stale = project.name, status.stale or {}
    models = (project.champion, project.previous_champion, project.challenger)
    judged = (project.performance, project.drift, project.trials, project.parked)
    versions = (*models, project.newest_version, project.held, stale.get("models"))
    yield Subject("models", {"project": name}, versions)
    yield Subject("monitoring", {"project": name}, (*judged, stale.get("store")))
    for workflow in project.workflows:
        arguments = {"project": name, "kind": workflow.kind.value, "limit": RUNS}
        yield Subject("dag_runs", arguments, (workflow.last_run, stale.get("workflows")))
        yield from _of_run(workflow, stale.get("workflows"))
    if project.champion is not None and project.challenger is not None:
        pair = {"first": project.champion.version, "second": project.challenger}
        yield Subject("compare", {"project": name, **pair}, (pair, project.trials))
    yield Subject("charts", {"project": name}, versions)
    yield Subject("forecasts", {"project": name, "count": FORECASTS}, project.forecast_count)


def _of_charts(project: str, infos: Sequence[ChartInfo]) -> Iterator[Subject]:
    """Yield the charts over time, as they are opened."""
    whole = {"points": CHART_POINTS, "start_at": None, "end_at": None}
    turn = int(clock.monotonic() / CHART_SECONDS)
    for info in infos:
        yield Subject("chart", {"project": project, "key": info.key, **whole}, turn)


def _of_run(workflow: WorkflowStatus, stale: str | None) -> Iterator[Subject]:
    """Yield the newest run with its tasks; while it runs, it is read every few seconds."""
    run = workflow.last_run
    if run is None:
        return
    arguments = {
        "project": workflow.project,
        "kind": workflow.kind.value,
        "run_id": run.run_id,
    }
    turn = None if run.state.is_finished else int(clock.monotonic() / LEAST_SECONDS)
    yield Subject("dag_run", arguments, (run, turn, stale))


def _of_market(market: MarketStatus) -> Iterator[Subject]:
    feed = {"market": market.market, "unit": market.unit}
    stored = (market.stored_candles, market.newest_candle_at, market.gaps)
    yield Subject("candles", {**feed, "count": CANDLES_KEPT}, stored)
    yield Subject("coverage", feed, (market.gaps, market.coverage, market.stored_candles))


class Reads:
    """Reads what has changed, one after the other, in a thread of its own.

    Args:
        control: what is read.
        hub: knows the newest status.
        hear: takes every answer.
        stat_log: returns what changes when a service's log does.
    """

    def __init__(
        self, control: Control, hub: Hub, hear: Hear, stat_log: Callable[[str], object]
    ) -> None:
        self._control = control
        self._hub = hub
        self._hear = hear
        self._stat_log = stat_log
        self._known: dict[str, _Known] = {}
        self._charts: dict[str, Sequence[ChartInfo]] = {}

    def follows(self, subject: str) -> bool:
        """Whether the subject is read again when it changes, or is evidence that is kept."""
        return subject in self._known

    def run(self, stopping: threading.Event) -> None:
        """Read until told to stop."""
        while not stopping.wait(TICK_SECONDS):
            for subject in self._due():
                seconds = self._read(subject)
                if stopping.wait(min(SHARE * seconds, MOST_PAUSE_SECONDS)):
                    return

    def _due(self) -> list[Subject]:
        now = clock.monotonic()
        wanted = list(subjects_of(self._hub.status, self._stat_log))
        for project, infos in self._charts.items():
            wanted += _of_charts(project, infos)
        names = {subject.name for subject in wanted}
        for name in [name for name, known in self._known.items() if name not in names]:
            if now - self._known[name].read_at > REFRESH_SECONDS:
                del self._known[name]
        return [subject for subject in wanted if self._is_due(subject, now)]

    def _is_due(self, subject: Subject, now: float) -> bool:
        known = self._known.get(subject.name)
        if known is None:
            return True
        age = now - known.read_at
        if known.has_failed and age > RETRY_SECONDS:
            return True
        return (known.signature != subject.signature and age >= LEAST_SECONDS) or (
            age > REFRESH_SECONDS and subject.operation != EVENTS
        )

    def _read(self, subject: Subject) -> float:
        """Read one subject, hand the answer over, and return the seconds that it took."""
        began = clock.monotonic()
        arguments = {**subject.arguments}
        if subject.operation == EVENTS:
            arguments = {"limit": EVENTS_KEPT}
        known = _Known(subject.signature, began)
        try:
            answer = self._call(subject.operation, arguments)
            self._hear(
                subject.operation, subject.arguments, wire.encode_result(subject.operation, answer)
            )
            if subject.operation == "charts":
                self._charts[str(arguments["project"])] = answer
            if isinstance(answer, DagRun):
                self._read_failed_tasks(subject, answer)
        except ApplianceError as error:
            known.has_failed = True
            self._hear(subject.operation, subject.arguments, error)
        self._known[subject.name] = known
        return clock.monotonic() - began

    def _call(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        if "kind" in arguments:
            arguments = {**arguments, "kind": WorkflowKind(arguments["kind"])}
        return getattr(self._control, operation)(**arguments)

    def _read_failed_tasks(self, subject: Subject, run: DagRun) -> None:
        """Keep the logs of the tasks that failed: they are what somebody will ask for."""
        if not run.state.is_finished:
            return
        for task in run.tasks:
            if task.state is RunState.FAILED:
                arguments = {**subject.arguments, "task_id": task.task_id, "lines": LOG_LINES}
                log = Subject("task_log", arguments, None)
                if log.name not in self._known:
                    self._read(log)
