"""The control API's client: `Control` over HTTP on this home's unix socket.

Standard library only: `appliance status` has 300 ms.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from appliance.config.instance_lock import holder_pid
from appliance.config.paths import Paths
from appliance.errors import ApplianceNotRunning, ConfigError

if TYPE_CHECKING:
    from datetime import datetime

    from appliance.control.api import ApplianceStatus, StreamMessage
    from appliance.domain.candle import Candle
    from appliance.domain.chart import Chart, ChartInfo
    from appliance.domain.coverage import MarketCoverage
    from appliance.domain.event import Event
    from appliance.domain.event_filter import EventCount, EventFilter
    from appliance.domain.forecast import Forecast
    from appliance.domain.history_job import CoverageCell, HistoryJob, HistoryKind
    from appliance.domain.log import LogPage, LogQuery
    from appliance.domain.model_comparison import ModelComparison
    from appliance.domain.model_version import ModelVersion
    from appliance.domain.monitoring import Monitoring
    from appliance.domain.origin import Origin
    from appliance.domain.trial import Trial
    from appliance.domain.workflow import DagRun, WorkflowKind

_CONNECT_SECONDS = 2.0
_CALL_SECONDS = 4.2
_SLOW = ("promote", "roll_back", "reject", "test_alert", "start_history", "cancel_history")
"""Actions that make several calls of their own, or one to another machine."""
_SECONDS = {"status": 3.0, "compare": 15.0, **dict.fromkeys(_SLOW, 30.0)}
_SILENCE_SECONDS = 4.5  # three heartbeats of the stream
_PREFIX = "/v1/"


def is_supervisor_answering(paths: Paths) -> bool:
    """Whether something accepts connections on this home's control socket."""
    try:
        _connect(paths).close()
    except ApplianceNotRunning:
        return False
    return True


class ControlClient:
    """`Control` of the supervisor that runs in a home; each call has a connection of its own.

    With `is_read_only` it changes nothing: what would raises `ConfigError`, and the status says so.
    """

    def __init__(self, paths: Paths, *, is_read_only: bool = False) -> None:
        self._paths = paths
        self._is_read_only = is_read_only

    def status(self) -> ApplianceStatus:
        """See `Control.status`."""
        status = cast("ApplianceStatus", self._read("status"))
        return replace(status, read_only=True) if self._is_read_only else status

    def stream(self) -> Iterator[StreamMessage]:
        """See `Control.stream`; ends when the supervisor goes, reconnecting is up to the caller.

        Raises:
            ApplianceNotRunning: nobody listens, or the stream fell silent.
        """
        from appliance.control.decode import decode_message

        connection = _Connection(self._paths, _SILENCE_SECONDS)
        try:
            response = connection.ask("GET", f"{_PREFIX}stream")
            for line in self._lines(response):
                if line.startswith(b"data: "):
                    message = decode_message(line.removeprefix(b"data: "))
                    if self._is_read_only and message.status is not None:
                        message = replace(message, status=replace(message.status, read_only=True))
                    yield message
        finally:
            connection.close()

    def candles(self, market: str, unit: int, count: int) -> list[Candle]:
        """See `Control.candles`."""
        return cast("list[Candle]", self._read("candles", market=market, unit=unit, count=count))

    def candles_until(self, market: str, unit: int, end_at: datetime, count: int) -> list[Candle]:
        """See `Control.candles_until`."""
        found = self._read(
            "candles_until", market=market, unit=unit, end_at=end_at.isoformat(), count=count
        )
        return cast("list[Candle]", found)

    def coverage(self, market: str, unit: int) -> MarketCoverage | None:
        """See `Control.coverage`."""
        return cast("MarketCoverage | None", self._read("coverage", market=market, unit=unit))

    def coverage_strip(
        self, market: str, unit: int, hours: float, cells: int
    ) -> list[CoverageCell]:
        """See `Control.coverage_strip`."""
        found = self._read("coverage_strip", market=market, unit=unit, hours=hours, cells=cells)
        return cast("list[CoverageCell]", found)

    def start_history(
        self,
        kind: HistoryKind,
        market: str,
        unit: int,
        origin: Origin,
        start_at: datetime | None = None,
        end_at: datetime | None = None,
    ) -> HistoryJob:
        """See `Control.start_history`."""
        bounds = {
            name: None if at is None else at.isoformat()
            for name, at in (("start_at", start_at), ("end_at", end_at))
        }
        job = self._act(
            "start_history", kind=kind.value, market=market, unit=unit, origin=origin, **bounds
        )
        return cast("HistoryJob", job)

    def cancel_history(self, job: int, origin: Origin) -> HistoryJob:
        """See `Control.cancel_history`."""
        return cast("HistoryJob", self._act("cancel_history", job=job, origin=origin))

    def forecasts(self, project: str, count: int) -> list[Forecast]:
        """See `Control.forecasts`."""
        return cast("list[Forecast]", self._read("forecasts", project=project, count=count))

    def events(self, after_id: int = 0, limit: int = 100) -> list[Event]:
        """See `Control.events`."""
        return cast("list[Event]", self._read("events", after_id=after_id, limit=limit))

    def find_events(self, wanted: EventFilter, before_id: int = 0, limit: int = 200) -> list[Event]:
        """See `Control.find_events`."""
        found = self._read("find_events", wanted=_asked(wanted), before_id=before_id, limit=limit)
        return cast("list[Event]", found)

    def next_events(self, wanted: EventFilter, after_id: int, limit: int = 200) -> list[Event]:
        """See `Control.next_events`."""
        found = self._read("next_events", wanted=_asked(wanted), after_id=after_id, limit=limit)
        return cast("list[Event]", found)

    def count_events(self, wanted: EventFilter) -> list[EventCount]:
        """See `Control.count_events`."""
        return cast("list[EventCount]", self._read("count_events", wanted=_asked(wanted)))

    def models(self, project: str) -> list[ModelVersion]:
        """See `Control.models`."""
        return cast("list[ModelVersion]", self._read("models", project=project))

    def monitoring(self, project: str) -> Monitoring:
        """See `Control.monitoring`."""
        return cast("Monitoring", self._read("monitoring", project=project))

    def charts(self, project: str) -> list[ChartInfo]:
        """See `Control.charts`."""
        return cast("list[ChartInfo]", self._read("charts", project=project))

    def chart(
        self,
        project: str,
        key: str,
        points: int,
        start_at: datetime | None = None,
        end_at: datetime | None = None,
    ) -> Chart:
        """See `Control.chart`."""
        bounds = {
            name: at.isoformat()
            for name, at in (("start_at", start_at), ("end_at", end_at))
            if at is not None
        }
        found = self._read("chart", project=project, key=key, points=points, **bounds)
        return cast("Chart", found)

    def dag_runs(self, project: str, kind: WorkflowKind, limit: int = 10) -> list[DagRun]:
        """See `Control.dag_runs`."""
        arguments = {"project": project, "kind": kind.value, "limit": limit}
        return cast("list[DagRun]", self._read("dag_runs", **arguments))

    def run_workflow(
        self,
        project: str,
        kind: WorkflowKind,
        params: Mapping[str, str],
        origin: Origin,
        request: str = "",
    ) -> DagRun:
        """See `Control.run_workflow`."""
        arguments = {"project": project, "kind": kind, "params": dict(params), "origin": origin}
        if request:
            arguments["request"] = request
        return cast("DagRun", self._act("run_workflow", **arguments))

    def dag_run(self, project: str, kind: WorkflowKind, run_id: str) -> DagRun:
        """See `Control.dag_run`."""
        arguments = {"project": project, "kind": kind.value, "run_id": run_id}
        return cast("DagRun", self._read("dag_run", **arguments))

    def task_log(
        self, project: str, kind: WorkflowKind, run_id: str, task_id: str, lines: int = 200
    ) -> list[str]:
        """See `Control.task_log`."""
        found = self._read(
            "task_log",
            project=project,
            kind=kind.value,
            run_id=run_id,
            task_id=task_id,
            lines=lines,
        )
        return cast("list[str]", found)

    def task_log_page(
        self, project: str, kind: WorkflowKind, run_id: str, task_id: str, query: LogQuery
    ) -> LogPage:
        """See `Control.task_log_page`."""
        found = self._read(
            "task_log_page",
            project=project,
            kind=kind.value,
            run_id=run_id,
            task_id=task_id,
            query=_asked(query),
        )
        return cast("LogPage", found)

    def unpause(self, project: str, kind: WorkflowKind, origin: Origin) -> None:
        """See `Control.unpause`."""
        self._act("unpause", project=project, kind=kind, origin=origin)

    def enable_project(self, project: str, is_enabled: bool, origin: Origin) -> None:
        """See `Control.enable_project`."""
        self._act("enable_project", project=project, is_enabled=is_enabled, origin=origin)

    def verdicts(self, project: str, champion: int, version: int) -> list[Trial]:
        """See `Control.verdicts`."""
        found = self._read("verdicts", project=project, champion=champion, version=version)
        return cast("list[Trial]", found)

    def compare(self, project: str, first: int, second: int) -> ModelComparison:
        """See `Control.compare`."""
        found = self._read("compare", project=project, first=first, second=second)
        return cast("ModelComparison", found)

    def promote(self, project: str, version: int, seen: int, origin: Origin) -> ModelVersion:
        """See `Control.promote`."""
        promoted = self._act("promote", project=project, version=version, seen=seen, origin=origin)
        return cast("ModelVersion", promoted)

    def roll_back(self, project: str, version: int, seen: int, origin: Origin) -> ModelVersion:
        """See `Control.roll_back`."""
        champion = self._act(
            "roll_back", project=project, version=version, seen=seen, origin=origin
        )
        return cast("ModelVersion", champion)

    def reject(self, project: str, version: int, seen: int, origin: Origin) -> ModelVersion:
        """See `Control.reject`."""
        rejected = self._act("reject", project=project, version=version, seen=seen, origin=origin)
        return cast("ModelVersion", rejected)

    def restart_service(self, name: str, origin: Origin) -> None:
        """See `Control.restart_service`."""
        self._act("restart_service", name=name, origin=origin)

    def service_log(self, name: str, lines: int = 200) -> list[str]:
        """See `Control.service_log`."""
        return cast("list[str]", self._read("service_log", name=name, lines=lines))

    def service_log_page(self, name: str, query: LogQuery) -> LogPage:
        """See `Control.service_log_page`."""
        return cast("LogPage", self._read("service_log_page", name=name, query=_asked(query)))

    def test_alert(self, origin: Origin) -> str:
        """See `Control.test_alert`."""
        return cast("str", self._act("test_alert", origin=origin))

    def shut_down(self, origin: Origin) -> None:
        """See `Control.shut_down`."""
        self._act("shut_down", origin=origin)

    def _read(self, operation: str, **arguments: str | float) -> Any:
        query = f"?{urlencode(arguments)}" if arguments else ""
        return self._exchange(operation, "GET", f"{_PREFIX}{operation}{query}")

    def _act(self, operation: str, **arguments: object) -> Any:
        if self._is_read_only:
            raise ConfigError(
                "nothing was changed: this console only looks",
                code="control.read_only",
                hint="open it without --readonly",
            )
        body = json.dumps(arguments, default=_fields).encode()
        return self._exchange(operation, "POST", f"{_PREFIX}{operation}", body)

    def _exchange(self, operation: str, method: str, target: str, body: bytes = b"") -> Any:
        seconds = _SECONDS.get(operation, _CALL_SECONDS)
        connection = _Connection(self._paths, seconds)
        try:
            answer = _read_all(self._paths, connection.ask(method, target, body))
        finally:
            connection.close()
        from appliance.control.decode import decode_result

        return decode_result(operation, answer)

    def _lines(self, response: http.client.HTTPResponse) -> Iterator[bytes]:
        while True:
            try:
                line = response.readline()
            except (OSError, http.client.HTTPException) as error:
                raise _not_running(self._paths, str(error) or "connection lost") from error
            if not line:
                return
            yield line.rstrip(b"\r\n")


def _asked(query: LogQuery | EventFilter) -> str:
    return json.dumps(asdict(query), default=str)


class _Connection(http.client.HTTPConnection):
    """HTTP over the home's control socket; failures are `ApplianceNotRunning`."""

    def __init__(self, paths: Paths, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._paths = paths
        self._seconds = seconds

    def connect(self) -> None:
        """Connect to the socket in place of a TCP port."""
        self.sock = _connect(self._paths)
        self.sock.settimeout(self._seconds)

    def ask(self, method: str, target: str, body: bytes = b"") -> http.client.HTTPResponse:
        """Send a request and return the answer, its body unread.

        Raises:
            ApplianceNotRunning: nobody listens or answers.
            ApplianceError: as raised on the server.
        """
        headers = {"Content-Type": "application/json"} if body else {}
        try:
            self.request(method, target, body or None, headers)
            response = self.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise _not_running(self._paths, str(error) or type(error).__name__) from error
        if response.status == http.client.OK:
            return response
        from appliance.control.decode import decode_error

        raise decode_error(_read_all(self._paths, response))


def _fields(value: object) -> dict[str, object]:
    return asdict(cast("Any", value))


def _read_all(paths: Paths, response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read()
    except (OSError, http.client.HTTPException) as error:
        raise _not_running(paths, str(error) or type(error).__name__) from error


def _connect(paths: Paths) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(_CONNECT_SECONDS)
    try:
        connection.connect(os.fspath(paths.control_socket))
    except OSError as error:
        connection.close()
        raise _not_running(paths, error.strerror or str(error)) from error
    return connection


def _not_running(paths: Paths, reason: str) -> ApplianceNotRunning:
    if (pid := holder_pid(paths)) is not None:
        return ApplianceNotRunning(
            f"the supervisor of {paths.home} (pid {pid}) does not answer: {reason}",
            code="appliance.silent",
            hint=f"try again in a moment; when it stays: kill -9 {pid}, then appliance up",
        )
    return ApplianceNotRunning(
        f"no appliance answers in {paths.home}: {reason}", hint="appliance up"
    )
