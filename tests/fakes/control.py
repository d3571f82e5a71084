"""A running appliance in memory: answers like the control client, records every command."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from appliance import clock
from appliance.control.api import ApplianceStatus, StreamMessage
from appliance.domain.candle import Candle
from appliance.domain.chart import Chart, ChartInfo
from appliance.domain.coverage import MarketCoverage
from appliance.domain.event import Event
from appliance.domain.event_filter import EventCount, EventFilter
from appliance.domain.forecast import Forecast
from appliance.domain.history_job import CoverageCell, HistoryJob, HistoryKind, JobState
from appliance.domain.log import LogPage, LogQuery
from appliance.domain.model_comparison import ModelComparison
from appliance.domain.model_version import ModelVersion
from appliance.domain.monitoring import Monitoring
from appliance.domain.origin import Origin
from appliance.domain.trial import Trial
from appliance.domain.workflow import DagRun, RunState, TaskInstance, WorkflowKind
from appliance.errors import ApplianceError, ApplianceNotRunning, ModelNotFound
from appliance.supervisor.log_pages import LogParts, read_log_page
from tests import builders, chart_builder, monitoring_builder

NOT_RUNNING = ApplianceNotRunning(
    "no supervisor answers on control.sock", hint="start it: `appliance up`"
)
TASKS = ("load_candles", "prepare_rows", "train_model", "evaluate_model", "register_model")


class FakeControl:
    """Implements `Control`; `down` makes every call fail, `failures` single ones by name."""

    def __init__(self, status: ApplianceStatus | None = None) -> None:
        self.snapshot = builders.status() if status is None else status
        self.closed = builders.candles()
        self.known_coverage = builders.coverage()
        self.known_events = builders.events()
        self.known_models = builders.models()
        self.known_comparison = builders.comparison()
        self.known_monitoring = monitoring_builder.monitoring()
        self.service_lines = service_log
        self.task_lines = task_log
        self.known_charts: dict[str, Chart] = {}
        self.asked_charts: list[tuple[object, ...]] = []
        self.commands: list[tuple[object, ...]] = []
        self.failures: dict[str, ApplianceError] = {}
        self.down = False
        self.released = threading.Event()
        self.released.set()
        self.connections = 0
        self._queue: queue.Queue[StreamMessage | None] = queue.Queue()

    def push(self, message: StreamMessage) -> None:
        """Send a message to whoever reads the stream."""
        if message.status is not None:
            self.snapshot = message.status
        self._queue.put(message)

    def lose(self) -> None:
        """Break the stream and refuse everything from now on."""
        self.down = True
        self._queue.put(None)

    def restore(self) -> None:
        """Answer again."""
        self.down = False

    def _check(self, name: str) -> None:
        self.released.wait(10)
        if self.down:
            raise NOT_RUNNING
        if name in self.failures:
            raise self.failures[name]

    def status(self) -> ApplianceStatus:
        self._check("status")
        return self.snapshot

    def stream(self) -> Iterator[StreamMessage]:
        self._check("stream")
        self.connections += 1
        yield StreamMessage(status=self.snapshot)
        while (message := self._queue.get()) is not None:
            yield message
        raise NOT_RUNNING

    def candles(self, market: str, unit: int, count: int) -> list[Candle]:
        self._check("candles")
        return [replace(candle, market=market, unit=unit) for candle in self.closed[-count:]]

    def candles_until(self, market: str, unit: int, end_at: datetime, count: int) -> list[Candle]:
        self._check("candles_until")
        early = [candle for candle in self.closed if candle.candle_date_time_utc < end_at]
        return [replace(candle, market=market, unit=unit) for candle in early[-count:]]

    def coverage(self, market: str, unit: int) -> MarketCoverage | None:
        self._check("coverage")
        return replace(self.known_coverage, market=market, unit=unit)

    def coverage_strip(
        self, market: str, unit: int, hours: float, cells: int
    ) -> list[CoverageCell]:
        self._check("coverage_strip")
        return builders.strip(cells)

    def start_history(
        self,
        kind: HistoryKind,
        market: str,
        unit: int,
        origin: Origin,
        start_at: datetime | None = None,
        end_at: datetime | None = None,
    ) -> HistoryJob:
        self._check("start_history")
        self.commands.append(("start_history", kind, market, unit, start_at, end_at, origin.name))
        return builders.job(kind=kind, market=market, unit=unit)

    def cancel_history(self, job: int, origin: Origin) -> HistoryJob:
        self._check("cancel_history")
        self.commands.append(("cancel_history", job, origin.name))
        return builders.job(id=job, state=JobState.CANCELLED)

    def forecasts(self, project: str, count: int) -> list[Forecast]:
        self._check("forecasts")
        return [builders.forecast(self.closed)] if self.closed else []

    def events(self, after_id: int = 0, limit: int = 100) -> list[Event]:
        self._check("events")
        return [event for event in self.known_events if event.id > after_id][-limit:]

    def find_events(self, wanted: EventFilter, before_id: int = 0, limit: int = 200) -> list[Event]:
        self._check("find_events")
        return [e for e in self._wanted(wanted) if not before_id or e.id < before_id][-limit:]

    def next_events(self, wanted: EventFilter, after_id: int, limit: int = 200) -> list[Event]:
        self._check("next_events")
        return [event for event in self._wanted(wanted) if event.id > after_id][:limit]

    def count_events(self, wanted: EventFilter) -> list[EventCount]:
        self._check("count_events")
        counts = Counter((e.kind, e.severity, e.actor) for e in self._wanted(wanted))
        return [EventCount(*key, number) for key, number in counts.most_common()]

    def _wanted(self, wanted: EventFilter) -> list[Event]:
        return [event for event in self.known_events if wanted.wants(event)]

    def models(self, project: str) -> list[ModelVersion]:
        self._check("models")
        return self.known_models

    def monitoring(self, project: str) -> Monitoring:
        self._check("monitoring")
        return self.known_monitoring

    def charts(self, project: str) -> list[ChartInfo]:
        self._check("charts")
        return chart_builder.infos()

    def chart(
        self,
        project: str,
        key: str,
        points: int,
        start_at: datetime | None = None,
        end_at: datetime | None = None,
    ) -> Chart:
        self._check("chart")
        self.asked_charts.append((key, points, start_at, end_at))
        if key in self.known_charts:
            return self.known_charts[key]
        return chart_builder.chart(key, points, start_at, end_at, tuple(self.known_events))

    def dag_runs(self, project: str, kind: WorkflowKind, limit: int = 10) -> list[DagRun]:
        self._check("dag_runs")
        started = [builders.ago(minutes=minutes) for minutes in (0.5, 1.5, 2.5, 3.5)]
        states = (RunState.SUCCESS, RunState.FAILED, RunState.SUCCESS, RunState.SUCCESS)
        runs = [
            builders.dag_run(kind, state, at) for state, at in zip(states, started, strict=True)
        ]
        return runs[:limit]

    def run_workflow(
        self,
        project: str,
        kind: WorkflowKind,
        params: Mapping[str, str],
        origin: Origin,
        request: str = "",
    ) -> DagRun:
        self._check("run_workflow")
        self.commands.append(("run_workflow", project, kind, dict(params), origin.name))
        run_id = f"manual__{clock.now():%Y-%m-%dT%H:%M:%S}"
        return builders.dag_run(kind, RunState.QUEUED, builders.NOW, None, run_id)

    def dag_run(self, project: str, kind: WorkflowKind, run_id: str) -> DagRun:
        self._check("dag_run")
        run = next(run for run in self.dag_runs(project, kind) if run.run_id == run_id)
        failed = run.state is RunState.FAILED
        states = [RunState.SUCCESS] * len(TASKS)
        if failed:
            states[3:] = [RunState.FAILED, RunState.UPSTREAM_FAILED]
        tasks = tuple(
            TaskInstance(name, state, 1 + (state is RunState.FAILED), duration=0.4 + index)
            for index, (name, state) in enumerate(zip(TASKS, states, strict=True))
        )
        return replace(run, tasks=tasks)

    def task_log(
        self, project: str, kind: WorkflowKind, run_id: str, task_id: str, lines: int = 200
    ) -> list[str]:
        self._check("task_log")
        return self.task_lines(task_id)[-lines:]

    def unpause(self, project: str, kind: WorkflowKind, origin: Origin) -> None:
        self._check("unpause")
        self.commands.append(("unpause", project, kind, origin.name))

    def enable_project(self, project: str, is_enabled: bool, origin: Origin) -> None:
        self._check("enable_project")
        self.commands.append(("enable_project", project, is_enabled, origin.name))

    def verdicts(self, project: str, champion: int, version: int) -> list[Trial]:
        self._check("verdicts")
        pair = {champion, version}
        return [t for t in self.known_monitoring.trials if {t.champion, t.challenger} == pair]

    def compare(self, project: str, first: int, second: int) -> ModelComparison:
        self._check("compare")
        known = {model.version: model for model in self.known_models}
        for version in (first, second):
            if version not in known:
                raise ModelNotFound(
                    f"{project} has no version {version}", hint="`appliance models`"
                )
        trials = tuple(self.verdicts(project, first, second))
        return replace(
            self.known_comparison,
            project=project,
            first=known[first],
            second=known[second],
            metrics=builders.metrics_of(known[first], known[second]),
            trials=trials,
        )

    def promote(self, project: str, version: int, seen: int, origin: Origin) -> ModelVersion:
        self._check("promote")
        self.commands.append(("promote", project, version, seen, origin.name))
        found = [model for model in self.known_models if model.version == version]
        if not found:
            raise ModelNotFound(f"{project} has no version {version}", hint="`appliance models`")
        return found[0]

    def roll_back(self, project: str, version: int, seen: int, origin: Origin) -> ModelVersion:
        self._check("roll_back")
        self.commands.append(("roll_back", project, version, seen, origin.name))
        return self.known_models[2]

    def reject(self, project: str, version: int, seen: int, origin: Origin) -> ModelVersion:
        self._check("reject")
        self.commands.append(("reject", project, version, seen, origin.name))
        return next(model for model in self.known_models if model.version == version)

    def restart_service(self, name: str, origin: Origin) -> None:
        self._check("restart_service")
        self.commands.append(("restart_service", name, origin.name))

    def service_log(self, name: str, lines: int = 200) -> list[str]:
        self._check("service_log")
        return self.service_lines(name)[-lines:]

    def task_log_page(
        self, project: str, kind: WorkflowKind, run_id: str, task_id: str, query: LogQuery
    ) -> LogPage:
        self._check("task_log_page")
        return read_log_page(MemoryParts(self.task_lines(task_id)), query)

    def service_log_page(self, name: str, query: LogQuery) -> LogPage:
        self._check("service_log_page")
        return read_log_page(MemoryParts(self.service_lines(name)), query)

    def test_alert(self, origin: Origin) -> str:
        self._check("test_alert")
        self.commands.append(("test_alert", origin.name))
        return "sent to #appliance"

    def shut_down(self, origin: Origin) -> None:
        self._check("shut_down")
        self.commands.append(("shut_down", origin.name))


class MemoryParts(LogParts):
    """A log that is no file."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__([])
        self._content = "".join(f"{line}\n" for line in lines).encode()
        self.size, self.file = len(self._content), "memory"

    def read(self, start: int, end: int) -> bytes:
        return self._content[start:end]


def task_log(task_id: str) -> list[str]:
    """Return the log of a task, which ends in an exception when it is the one that failed."""
    lines = [f"05:01:{second:02d} info    {task_id}: step {second}" for second in range(40)]
    if task_id == "evaluate_model":
        lines += [
            "05:01:41 error   Task failed with exception",
            "    /srv/appliance/pipelines/forecasting/core/evaluate.py:88 in evaluate_model",
            "  ValueError: 12 rows to evaluate on, expected at least 100",
            "05:01:42 info    Task instance in failure state",
        ]
    return lines


def service_log(name: str) -> list[str]:
    """Return sixty lines, some of them warnings and errors."""
    lines = []
    for number in range(60):
        at = builders.NOW - timedelta(seconds=60 - number)
        level = "ERROR" if number == 41 else "WARNING" if number % 17 == 9 else "INFO"
        words = (
            "candle stored market=KRW-BTC unit=1 inserted=1 corrected=0"
            if level == "INFO"
            else "REST 429, next attempt in 2.0 s group=candles remaining=0"
        )
        lines.append(f"{at:%Y-%m-%dT%H:%M:%SZ} {level:<7} {name}: {words} n={number}")
    return lines
