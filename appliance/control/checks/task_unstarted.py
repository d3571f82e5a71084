"""Tasks that Airflow wants to run and cannot start."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.control.api import ApplianceStatus
from appliance.control.health import Finding, Surroundings
from appliance.domain.workflow import RunState, UnstartedTask

_NAMED = 2


def find_task_unstarted(_: ApplianceStatus, surroundings: Surroundings) -> Iterator[Finding]:
    """Find tasks that failed before they began, and tasks that wait too long to begin.

    Everything may be ready and yet no task run: its log is empty then, and the scheduler's has the cause.
    """
    queued = [task for task in surroundings.unstarted if task.state is RunState.QUEUED]
    failed = [task for task in surroundings.unstarted if task.state is not RunState.QUEUED]
    cause = f": {surroundings.unstarted_cause}" if surroundings.unstarted_cause else ""
    if failed:
        yield Finding(
            "task.not_started",
            "failed",
            f"Airflow could not start {_names(failed)}{cause}",
            "appliance logs airflow-scheduler, then appliance restart airflow-scheduler",
        )
    if queued:
        yield Finding(
            "task.not_started",
            "queued",
            f"Airflow has not started {_names(queued)}, queued for more than a minute{cause}",
            "appliance status shows what else runs; appliance logs airflow-scheduler",
            since_at=min((task.since_at for task in queued if task.since_at), default=None),
        )


def _names(tasks: list[UnstartedTask]) -> str:
    first = ", ".join(f"{task.dag_id}.{task.task_id}" for task in tasks[:_NAMED])
    return f"{first} and {len(tasks) - _NAMED} more" if len(tasks) > _NAMED else first
