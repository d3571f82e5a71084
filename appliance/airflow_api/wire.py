"""Airflow's JSON, read into our types; unknown fields are ignored, unknown states are UNKNOWN."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from appliance.domain.origin import run_cause
from appliance.domain.workflow import DagRun, RunState, TaskInstance, UnstartedTask, WorkflowKind

Wire = Mapping[str, Any]

_AFTER = {WorkflowKind.INFERENCE: "after data", WorkflowKind.MONITORING: "after inference"}


@dataclass(frozen=True, slots=True)
class ComponentHealth:
    """One Airflow component by its own heartbeat; both None when it does not run at all."""

    name: str
    status: str | None
    heartbeat_at: datetime | None

    @property
    def is_healthy(self) -> bool:
        """Whether Airflow itself calls it healthy."""
        return self.status == "healthy"


@dataclass(frozen=True, slots=True)
class DagInfo:
    """What Airflow's DAG list says about one DAG."""

    dag_id: str
    is_paused: bool
    next_run_at: datetime | None
    timetable: str
    """Summary: a cron expression, `Asset`, or empty."""
    description: str
    """The timetable in words."""
    file_token: str = ""
    """Names its file to `AirflowApi.parse_again`."""

    @property
    def has_schedule(self) -> bool:
        """Whether it runs at times of its own, neither after assets nor on request only."""
        summary = self.timetable.lower()
        is_never = not summary or summary == "none" or "never" in self.description.lower()
        return not is_never and "asset" not in summary


@dataclass(frozen=True, slots=True)
class ImportFailure:
    """A DAG file that does not import; `error` is its traceback."""

    file: str
    error: str

    @property
    def dag_id(self) -> str:
        """The DAG that the file would define: files are named after their DAG."""
        return PurePath(self.file).stem

    @property
    def reason(self) -> str:
        """The traceback's last line."""
        return self.error.splitlines()[-1] if self.error else "unknown error"


def read_health(body: Wire) -> list[ComponentHealth]:
    """Read `GET /monitor/health`."""
    return [
        ComponentHealth(name, part.get("status"), _instant(part.get(f"latest_{name}_heartbeat")))
        for name, part in body.items()
        if isinstance(part, Mapping)
    ]


def read_dags(body: Wire) -> dict[str, DagInfo]:
    """Read `GET /dags`, by DAG id."""
    return {
        wire["dag_id"]: DagInfo(
            dag_id=wire["dag_id"],
            is_paused=bool(wire.get("is_paused")),
            next_run_at=_instant(wire.get("next_dagrun_run_after")),
            timetable=wire.get("timetable_summary") or "",
            description=wire.get("timetable_description") or "",
            file_token=wire.get("file_token") or "",
        )
        for wire in body.get("dags", [])
    }


def read_paused_at(body: Wire) -> datetime | None:
    """Read `GET /eventLogs` of one DAG's changes, newest first: the earliest pause since the last unpause."""
    paused_at = None
    for entry in body.get("event_logs", []):
        try:
            is_paused = json.loads(entry.get("extra") or "{}").get("is_paused")
        except (ValueError, AttributeError):
            continue
        if is_paused is False:
            break
        if is_paused:
            paused_at = _instant(entry.get("when"))
    return paused_at


def read_import_errors(body: Wire) -> list[ImportFailure]:
    """Read `GET /importErrors`."""
    return [
        ImportFailure(wire.get("filename") or "", (wire.get("stack_trace") or "").strip())
        for wire in body.get("import_errors", [])
    ]


def read_run(wire: Wire, tasks: Sequence[TaskInstance] = ()) -> DagRun:
    """Read one DAG run."""
    return DagRun(
        dag_id=wire["dag_id"],
        run_id=wire["dag_run_id"],
        state=_state(wire.get("state")),
        run_type=wire.get("run_type") or "",
        queued_at=_instant(wire.get("queued_at")),
        started_at=_instant(wire.get("start_date")),
        ended_at=_instant(wire.get("end_date")),
        duration=wire.get("duration"),
        tasks=tuple(tasks),
        note=wire.get("note") or "",
        cause=run_cause(wire.get("conf"), wire.get("triggering_user_name")),
    )


def read_runs(body: Wire) -> list[DagRun]:
    """Read a list of DAG runs, in the order sent."""
    return [read_run(wire) for wire in body.get("dag_runs", [])]


def read_tasks(body: Wire) -> list[TaskInstance]:
    """Read a run's task instances in the order in which they started, those that wait last."""
    tasks = [
        TaskInstance(
            task_id=wire["task_id"],
            state=_state(wire.get("state")),
            try_number=int(wire.get("try_number") or 0),
            started_at=_instant(wire.get("start_date")),
            ended_at=_instant(wire.get("end_date")),
            duration=wire.get("duration"),
        )
        for wire in body.get("task_instances", [])
    ]
    never = datetime.max.replace(tzinfo=UTC)
    return sorted(tasks, key=lambda task: (task.started_at or never, task.task_id))


def read_unstarted(body: Wire, queued_before: datetime) -> list[UnstartedTask]:
    """Read the task instances of which a try ended that never began, or that wait since before an instant."""
    found = []
    for wire in body.get("task_instances", []):
        state, queued_at = _state(wire.get("state")), _instant(wire.get("queued_when"))
        has_begun = bool(wire.get("start_date"))
        has_failed = bool(wire.get("end_date"))
        is_late = state is RunState.QUEUED and queued_at is not None and queued_at < queued_before
        if not has_begun and (has_failed or is_late):
            if has_failed and state is RunState.QUEUED:
                state = RunState.UP_FOR_RETRY  # queued once more
            names = (str(wire["dag_id"]), str(wire["dag_run_id"]), str(wire["task_id"]))
            found.append(UnstartedTask(*names, state, queued_at))
    return found


def read_log(body: Wire) -> list[str]:
    """Read a task's structured log into lines `HH:MM:SS level message`, exceptions included."""
    content = body.get("content") or []
    if isinstance(content, str):
        return content.splitlines()
    return [line for entry in content for line in log_lines(entry)]


def schedule_words(kind: WorkflowKind, info: DagInfo) -> str:
    """Return when a workflow runs by itself: `every minute`, `after data`, `on request`."""
    if "asset" in info.timetable.lower():
        return _AFTER.get(kind, "after its assets")
    if not info.has_schedule:
        return "on request"
    words = info.description or info.timetable
    return words[:1].lower() + words[1:]


def log_lines(entry: object) -> list[str]:
    """Return the lines of one entry of a task's log; none for the marks that fold Airflow's own page."""
    if not isinstance(entry, Mapping):
        return str(entry).splitlines()
    message = str(entry.get("event", ""))
    if message.startswith("::") or not entry.get("timestamp"):
        return []
    prefix = f"{str(entry['timestamp'])[:19]}Z {entry.get('level') or '':<7} "
    lines = [prefix + line for line in message.splitlines() or [""]]
    for failure in reversed(entry.get("error_detail") or []):
        lines += _traceback(failure)
    return lines


def _traceback(failure: Wire) -> list[str]:
    frames = [
        f"    {frame.get('filename')}:{frame.get('lineno')} in {frame.get('name')}"
        for frame in failure.get("frames", [])
        if "/airflow/" not in str(frame.get("filename"))
    ]
    return [*frames, f"  {failure.get('exc_type')}: {failure.get('exc_value')}"]


def _state(value: str | None) -> RunState:
    if value is None:
        return RunState.NONE
    try:
        return RunState(value)
    except ValueError:
        return RunState.UNKNOWN


def _instant(value: str | None) -> datetime | None:
    if not value:
        return None
    parsed = datetime.fromisoformat(value)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
