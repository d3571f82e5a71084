"""Where a log screen's lines come from, and the reads it makes; each runs off the event loop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from appliance.control.api import Control
from appliance.domain.log import NEWEST, LogLevel, LogPage, LogQuery
from appliance.domain.workflow import RunState, WorkflowKind
from appliance.errors import AirflowApiError
from appliance.tui.action_keys import key_of
from appliance.tui.presentation.logs import joined

LINES_READ = 400
_RUNS_LOOKED_AT = 30
_NEAR_BYTES = 20_000
"""An error this close before an instant is what happened then."""


@dataclass(frozen=True, slots=True)
class ServiceLog:
    """The log of one service; an empty name means the first one."""

    name: str

    @property
    def title(self) -> str:
        """Name for the panel."""
        return self.name

    def read(self, control: Control, query: LogQuery) -> LogPage:
        """Return a part of it."""
        return control.service_log_page(self.name, query)


@dataclass(frozen=True, slots=True)
class TaskLog:
    """The log of a task instance's newest try; an empty task means the one that failed."""

    project: str
    kind: WorkflowKind
    run_id: str
    task_id: str

    @property
    def title(self) -> str:
        """Name for the panel."""
        return f"{self.kind.value}/{self.task_id}"

    def read(self, control: Control, query: LogQuery) -> LogPage:
        """Return a part of it."""
        return control.task_log_page(self.project, self.kind, self.run_id, self.task_id, query)


LogSource = ServiceLog | TaskLog


@dataclass(frozen=True, slots=True)
class AtError:
    """Begin at the newest error, at the end where there is none."""


@dataclass(frozen=True, slots=True)
class AtTime:
    """Begin at an instant, at the error just before it where there is one."""

    at: datetime


Place = AtError | AtTime


def read_around(source: LogSource, control: Control, at: int, query: LogQuery) -> LogPage:
    """Return the lines before and after position `at`."""
    before = source.read(control, replace(query, at=at, lines=LINES_READ // 2, is_forward=False))
    after = source.read(control, replace(query, at=at, lines=LINES_READ // 2, is_forward=True))
    return joined(replace(before, end=after.start), after)


def resolved(source: LogSource, control: Control) -> LogSource:
    """Return a source whose run and task are named: the newest failed run, the task it failed at.

    Raises `AirflowApiError` where no run, or no task of it, has failed.
    """
    if isinstance(source, ServiceLog) or source.task_id:
        return source
    project, kind = source.project, source.kind
    runs = [] if source.run_id else control.dag_runs(project, kind, _RUNS_LOOKED_AT)
    run_id = source.run_id or next((run.run_id for run in runs if run.has_failed), "")
    if not run_id:
        raise AirflowApiError(
            f"no run of {kind.value} has failed lately", hint=f"{key_of('runs')} shows its runs"
        )
    tasks = control.dag_run(project, kind, run_id).tasks
    task_id = next((task.task_id for task in tasks if task.state is RunState.FAILED), "")
    if not task_id:
        raise AirflowApiError(
            f"no task of run {run_id} has failed by itself: Airflow ended the run, or could not start it",
            hint=f"{key_of('logs')} shows the log of airflow-scheduler",
        )
    return replace(source, run_id=run_id, task_id=task_id)


def read_place(
    source: LogSource, control: Control, place: Place | None
) -> tuple[LogPage, int | None]:
    """Return the part of a log that holds `place`, and the position of the line that is meant."""
    found = _position(source, control, place)
    if found is None:
        return source.read(control, LogQuery(lines=LINES_READ)), None
    return read_around(source, control, found, LogQuery()), found


def _position(source: LogSource, control: Control, place: Place | None) -> int | None:
    if isinstance(place, AtTime):
        page = source.read(control, LogQuery(around_at=place.at, lines=1))
        if not page.lines:
            return None
        said_at = page.lines[0].at
        error = _newest_error(source, control, page.end)
        return error if error is not None and error >= said_at - _NEAR_BYTES else said_at
    return _newest_error(source, control, NEWEST) if place is not None else None


def _newest_error(source: LogSource, control: Control, before: int) -> int | None:
    page = source.read(control, LogQuery(before, 1, level=LogLevel.ERROR))
    return page.lines[-1].at if page.lines else None
