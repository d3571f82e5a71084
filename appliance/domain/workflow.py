"""Workflows, their DAG runs and task instances, in Airflow's words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from appliance.domain.origin import Origin

PROGRESS_MARK = "progress: "
"""Begins the lines of a task's log that say how far it is."""

ENDED_NOTE = "ended by the appliance: the project was disabled"
"""Noted on a run that was ended because its project is disabled."""


class WorkflowKind(StrEnum):
    """The four workflows every project has."""

    DATA = "data"
    TRAIN = "train"
    INFERENCE = "inference"
    MONITORING = "monitoring"


class RunState(StrEnum):
    """State of a DAG run or task instance."""

    QUEUED = "queued"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"
    UPSTREAM_FAILED = "upstream_failed"
    UP_FOR_RETRY = "up_for_retry"
    NONE = "none"
    UNKNOWN = "unknown"

    @property
    def is_finished(self) -> bool:
        """Whether the state is final."""
        return self in _FINISHED


_FINISHED = frozenset(
    {RunState.SUCCESS, RunState.FAILED, RunState.SKIPPED, RunState.UPSTREAM_FAILED}
)


def dag_id(project: str, kind: WorkflowKind) -> str:
    """Return the DAG's id, `<project>_<kind>_wf`."""
    return f"{project}_{kind.value}_wf"


@dataclass(frozen=True, slots=True)
class TaskInstance:
    """One task of a DAG run; `duration` is in seconds."""

    task_id: str
    state: RunState
    try_number: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class UnstartedTask:
    """A task that never began to run although Airflow tried, or has waited for its start too long.

    `state` is failed, up for retry or queued; `since_at` when it was queued.
    """

    dag_id: str
    run_id: str
    task_id: str
    state: RunState
    since_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DagRun:
    """One run of a workflow; `duration` is in seconds, None while it has not started.

    `note` is what was noted on it in Airflow; `cause` is who asked for it, None when a schedule or an asset
    did.
    """

    dag_id: str
    run_id: str
    state: RunState
    run_type: str = ""
    queued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration: float | None = None
    tasks: tuple[TaskInstance, ...] = ()
    note: str = ""
    cause: Origin | None = None

    @property
    def has_failed(self) -> bool:
        """Whether it failed by itself; one that was ended with its project has not."""
        return self.state is RunState.FAILED and not self.was_ended

    @property
    def was_ended(self) -> bool:
        """Whether it was ended because its project was disabled; Airflow counts it as failed."""
        return self.state is RunState.FAILED and self.note == ENDED_NOTE


@dataclass(frozen=True, slots=True)
class WorkflowStatus:
    """One workflow: its newest run and what comes next.

    `is_known` is False while Airflow has not told of any run and cannot be asked: there may have been
    some. `paused_at` is set while `is_paused`. `schedule` is words such as `every minute` or
    `after data`; `import_error` is the DAG file's error text, empty when it parses.
    """

    project: str
    kind: WorkflowKind
    last_run: DagRun | None = None
    last_success_at: datetime | None = None
    next_run_at: datetime | None = None
    schedule: str = ""
    is_paused: bool = False
    paused_at: datetime | None = None
    import_error: str = ""
    is_known: bool = True
