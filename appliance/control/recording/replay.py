"""`Control` as of an instant of a recording: reads answer what was answered then, actions are refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, cast

from appliance.control.api import ApplianceStatus, StreamMessage
from appliance.control.decode import decode_error, decode_message, decode_value
from appliance.control.past import PastLook
from appliance.control.recording.folder import instant
from appliance.control.recording.log_pages import LOG_LINES, page_of
from appliance.control.recording.reader import Moment, RecordingReader
from appliance.control.recording.state import (
    CANDLES_KEPT,
    EVENTS,
    EVENTS_KEPT,
    LIVE,
    STATUS,
    parts_of,
    result_of,
    subject_of,
)
from appliance.domain.candle import Candle
from appliance.domain.chart import Chart, ChartInfo
from appliance.domain.coverage import MarketCoverage
from appliance.domain.event import Event
from appliance.domain.event_filter import EventCount, EventFilter
from appliance.domain.forecast import Forecast
from appliance.domain.history_job import CoverageCell
from appliance.domain.log import LogPage, LogQuery
from appliance.domain.model_comparison import ModelComparison
from appliance.domain.model_version import ModelVersion
from appliance.domain.monitoring import Monitoring
from appliance.domain.trial import Trial
from appliance.domain.workflow import DagRun, WorkflowKind
from appliance.errors import ConfigError

_AMOUNTS = ("count", "limit", "lines", "points")
_NEWEST_FIRST = ("dag_runs", "models")
_TEXTS = ("service_log", "task_log")


class ReplayControl:
    """See `Control`; `ignores_failures` answers with the last good value where a read failed."""

    def __init__(self, moment: Moment, *, ignores_failures: bool = False) -> None:
        self._moment = moment
        self._ignores_failures = ignores_failures

    def status(self) -> ApplianceStatus:
        """See `Control.status`."""
        return cast("ApplianceStatus", self._read(STATUS))

    def stream(self) -> Iterator[StreamMessage]:
        """See `Control.stream`; ends after what was known then."""
        yield StreamMessage(status=self.status())
        for subject, value in self._moment.values.items():
            if parts_of(subject)[0] == LIVE:
                yield decode_message(json.dumps(value).encode())

    def candles(self, market: str, unit: int, count: int) -> list[Candle]:
        """See `Control.candles`."""
        found = self._read("candles", market=market, unit=unit, count=count)
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

    def candles_until(self, market: str, unit: int, end_at: datetime, count: int) -> list[Candle]:
        """See `Control.candles_until`; of the candles that the chart showed."""
        known = self.candles(market, unit, CANDLES_KEPT)
        return [c for c in known if c.candle_date_time_utc < end_at][-count:]

    def forecasts(self, project: str, count: int) -> list[Forecast]:
        """See `Control.forecasts`."""
        return cast("list[Forecast]", self._read("forecasts", project=project, count=count))

    def events(self, after_id: int = 0, limit: int = 100) -> list[Event]:
        """See `Control.events`; of the newest 300 of then."""
        known = cast("list[Event]", self._read(EVENTS))
        return [event for event in known if event.id > after_id][-limit:]

    def models(self, project: str) -> list[ModelVersion]:
        """See `Control.models`."""
        return cast("list[ModelVersion]", self._read("models", project=project))

    def monitoring(self, project: str) -> Monitoring:
        """See `Control.monitoring`."""
        return cast("Monitoring", self._read("monitoring", project=project))

    def verdicts(self, project: str, champion: int, version: int) -> list[Trial]:
        """See `Control.verdicts`."""
        found = self._read("verdicts", project=project, champion=champion, version=version)
        return cast("list[Trial]", found)

    def dag_runs(self, project: str, kind: WorkflowKind, limit: int = 10) -> list[DagRun]:
        """See `Control.dag_runs`."""
        found = self._read("dag_runs", project=project, kind=kind.value, limit=limit)
        return cast("list[DagRun]", found)

    def dag_run(self, project: str, kind: WorkflowKind, run_id: str) -> DagRun:
        """See `Control.dag_run`."""
        found = self._read("dag_run", project=project, kind=kind.value, run_id=run_id)
        return cast("DagRun", found)

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

    def service_log(self, name: str, lines: int = 200) -> list[str]:
        """See `Control.service_log`."""
        return cast("list[str]", self._read("service_log", name=name, lines=lines))

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
        """See `Control.chart`; a part that nobody looked at is the newest whole that was recorded."""
        asked = {"project": project, "key": key}
        part = {**asked, "points": points, "start_at": start_at, "end_at": end_at}
        if start_at is not None and self._value("chart", part) is not None:
            return cast("Chart", self._read("chart", **part))
        whole = {**asked, "start_at": None, "end_at": None}
        known = self._recorded("chart", whole, "points")
        newest = max(known, key=lambda count: _end_of(known[count]), default=points)
        return cast("Chart", self._read("chart", points=newest, **whole))

    def compare(self, project: str, first: int, second: int) -> ModelComparison:
        """See `Control.compare`."""
        found = self._read("compare", project=project, first=first, second=second)
        return cast("ModelComparison", found)

    def find_events(self, wanted: EventFilter, before_id: int = 0, limit: int = 200) -> list[Event]:
        """See `Control.find_events`; of the newest 300 of then."""
        known = [e for e in self._wanted(wanted) if not before_id or e.id < before_id]
        return known[-limit:]

    def next_events(self, wanted: EventFilter, after_id: int, limit: int = 200) -> list[Event]:
        """See `Control.next_events`; of the newest 300 of then."""
        return [event for event in self._wanted(wanted) if event.id > after_id][:limit]

    def count_events(self, wanted: EventFilter) -> list[EventCount]:
        """See `Control.count_events`; of the newest 300 of then."""
        counts = Counter((e.kind, e.severity, e.actor) for e in self._wanted(wanted))
        return [EventCount(*what, number) for what, number in counts.most_common()]

    def _wanted(self, wanted: EventFilter) -> list[Event]:
        return [event for event in self.events(limit=EVENTS_KEPT) if wanted.wants(event)]

    def service_log_page(self, name: str, query: LogQuery) -> LogPage:
        """See `Control.service_log_page`; of the newest lines of then."""
        return page_of(self.service_log(name, LOG_LINES), query)

    def task_log_page(
        self, project: str, kind: WorkflowKind, run_id: str, task_id: str, query: LogQuery
    ) -> LogPage:
        """See `Control.task_log_page`; the logs of failed tasks are kept."""
        return page_of(self.task_log(project, kind, run_id, task_id, LOG_LINES), query)

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise ConfigError(
            f"this is a recording, as of {self._moment.at.isoformat(timespec='seconds')}; "
            "nothing in it can be changed",
            code="recording.past",
            hint="return to now first",
        )

    start_history = cancel_history = run_workflow = unpause = enable_project = _refuse
    promote = roll_back = reject = restart_service = test_alert = shut_down = _refuse

    def _read(self, operation: str, **arguments: object) -> Any:
        value = self._value(operation, arguments)
        if value is None or ("r" not in value and self._ignores_failures):
            raise ConfigError(
                f"{operation} was not recorded at that time",
                code="recording.nothing",
                hint="what nobody looked at and no screen opens with is not kept",
            )
        if "e" in value and not self._ignores_failures:
            error = decode_error(json.dumps(value["e"]).encode())
            error.fields["failed_at"] = instant(value["t"])
            raise error
        result = decode_value(operation, result_of(value, is_text=operation in _TEXTS))
        return _newest(operation, arguments, result)

    def _value(self, operation: str, arguments: Mapping[str, object]) -> Mapping[str, Any] | None:
        """Return what was answered; a longer answer to the same question serves too."""
        exact = self._moment.values.get(subject_of(operation, arguments))
        amount = next((name for name in _AMOUNTS if name in arguments), None)
        if exact is not None or amount is None:
            return exact
        others = {name: value for name, value in arguments.items() if name != amount}
        found = self._recorded(operation, others, amount)
        return found[max(found)] if found else None

    def _recorded(
        self, operation: str, arguments: Mapping[str, object], amount: str
    ) -> dict[int, Mapping[str, Any]]:
        """Return by `amount` what was answered to a question that differs in nothing else."""
        return {
            asked[amount]: value
            for subject, value in self._moment.values.items()
            if subject.startswith(f"{operation} ") and amount in (asked := parts_of(subject)[1])
            if {name: v for name, v in asked.items() if name != amount} == arguments
        }


def _end_of(value: Mapping[str, Any]) -> datetime:
    """Return where a recorded chart ends; one that could never be read ends before all others."""
    ends_at = value["r"]["end_at"] if "r" in value else None
    return datetime.fromisoformat(ends_at) if ends_at else datetime.min.replace(tzinfo=UTC)


def _newest(operation: str, arguments: Mapping[str, object], result: Any) -> Any:
    amount = next((arguments[name] for name in _AMOUNTS if name in arguments), None)
    if amount is None or not isinstance(result, list):
        return result
    count = int(str(amount))
    return result[:count] if operation in _NEWEST_FIRST else result[-count:]


class ReplayRecording:
    """`Recording` of a home's folder or of one file; opened at the first question."""

    def __init__(self, source: Path, title: str) -> None:
        self._source = source
        self._title = title
        self._opened: RecordingReader | None = None

    @property
    def title(self) -> str:
        """See `Recording.title`."""
        return self._title

    def span(self) -> tuple[datetime, datetime]:
        """See `Recording.span`."""
        reader = self._reader()
        return reader.first_at, reader.last_at

    def look(self, at: datetime) -> PastLook:
        """See `Recording.look`."""
        reader = self._reader()
        wanted = min(max(at, reader.first_at), reader.last_at)
        moment = reader.at(wanted)
        return PastLook(
            wanted,
            ReplayControl(moment),
            ReplayControl(moment, ignores_failures=True),
            moment.recorded_at or wanted,
            moment.is_gap,
        )

    def step(self, at: datetime, *, forward: bool, events_only: bool = False) -> datetime | None:
        """See `Recording.step`."""
        subject = EVENTS if events_only else ""
        return self._reader().next_mark(at, forward=forward, subject=subject)

    def _reader(self) -> RecordingReader:
        if self._opened is None:
            self._opened = RecordingReader(self._source)
        else:
            self._opened.refresh()
        return self._opened
