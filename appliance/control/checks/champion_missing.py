"""No model in production, and why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from appliance.control.api import ApplianceStatus, ProjectStatus
from appliance.control.health import Finding, Surroundings
from appliance.domain.workflow import RunState, WorkflowKind

_FIRST_TRAINING = timedelta(minutes=10)


def find_champion_missing(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find projects that have no production model although one could be expected by now."""
    is_young = status.at - status.started_at < _FIRST_TRAINING
    for project in status.projects:
        if project.champion is not None or "models" in (status.stale or {}):
            continue
        reason, hint = _why(project)
        if not is_young or _last_training(project) is RunState.FAILED:
            message = f"{project.name} has no production model: {reason}"
            yield Finding("model.no_champion", project.name, message, hint)


def _why(project: ProjectStatus) -> tuple[str, str]:
    train = f"appliance run train --project {project.name}"
    state = _last_training(project)
    if project.newest_version is not None:
        number = project.newest_version
        promote = f"appliance models promote {number} --project {project.name}"
        return f"version {number} waits for a promotion", promote
    if state is RunState.FAILED:
        return "the last training failed", train
    if state is not None and not state.is_finished:
        return "the first training has not ended yet", "wait for the train workflow"
    if state is RunState.SUCCESS:
        return "a training has succeeded, and no version is left in the registry", train
    return "no training has run yet", train


def _last_training(project: ProjectStatus) -> RunState | None:
    for workflow in project.workflows:
        if workflow.kind is WorkflowKind.TRAIN and workflow.last_run is not None:
            return workflow.last_run.state
    return None
