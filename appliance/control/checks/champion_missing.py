"""No model in production that serves, and why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from appliance.control.api import ApplianceStatus, ProjectStatus
from appliance.control.health import Finding, Surroundings
from appliance.domain.workflow import DagRun, RunState, WorkflowKind

_FIRST_TRAINING = timedelta(minutes=10)
_DECISIONS = ("promote", "reject")


def find_champion_missing(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find projects that have no production model; soon after a start, what the first one waits for."""
    is_young = status.at - status.started_at < _FIRST_TRAINING
    for project in status.projects:
        if project.held:
            yield _held(project)
            continue
        if project.champion is not None or "models" in (status.stale or {}):
            continue
        if is_young and not _has_failed(project):
            yield _first_training(project, status)
            continue
        reason, hint = _why(project)
        message = f"{project.name} has no production model: {reason}"
        yield Finding("model.no_champion", project.name, message, hint)


def _held(project: ProjectStatus) -> Finding:
    number, name = project.newest_version, project.name
    promote, reject = (f"appliance models {do} {number} --project {name}" for do in _DECISIONS)
    return Finding(
        "model.held",
        name,
        f"{name}: version {number} is held for a person instead of being in production: {project.held}",
        f"appliance project check {name}; then {promote}, or {reject}",
    )


def _first_training(project: ProjectStatus, status: ApplianceStatus) -> Finding:
    return Finding(
        "model.first_training",
        project.name,
        f"{project.name} has no production model yet: {_awaited(project, status)}",
        f"wait: it comes without you; how far it is: appliance runs train --project {project.name};"
        f" the model then shows in appliance models --project {project.name}",
    )


def _awaited(project: ProjectStatus, status: ApplianceStatus) -> str:
    state = _last_training(project)
    if project.newest_version is not None:
        return f"version {project.newest_version} waits for its promotion"
    if state is RunState.SUCCESS:
        return "the first training has ended, its version is being read"
    if state is not None and not state.is_finished:
        return "the first training runs"
    stored = next(
        (
            market.stored_candles
            for market in status.markets
            if (market.market, market.unit) == (project.market, project.unit)
        ),
        None,
    )
    so_far = "" if stored is None else f"; {stored:,} candles of {project.market} are stored"
    return f"the first training waits for {project.min_rows:,} prepared rows{so_far}"


def _why(project: ProjectStatus) -> tuple[str, str]:
    train = f"appliance run train --project {project.name}"
    run = _last_run(project)
    state = run.state if run else None
    if project.newest_version is not None:
        number = project.newest_version
        promote = f"appliance models promote {number} --project {project.name}"
        return f"version {number} waits for a promotion", promote
    if state is RunState.FAILED:
        was_ended = run is not None and run.was_ended
        why = "was ended, as the project was disabled" if was_ended else "failed"
        return f"the last training {why}", train
    if state is not None and not state.is_finished:
        return "the first training has not ended yet", "wait for the train workflow"
    if state is RunState.SUCCESS:
        return "a training has succeeded, and no version is left in the registry", train
    return "no training has run yet", train


def _last_training(project: ProjectStatus) -> RunState | None:
    run = _last_run(project)
    return run.state if run else None


def _has_failed(project: ProjectStatus) -> bool:
    run = _last_run(project)
    return run is not None and run.has_failed


def _last_run(project: ProjectStatus) -> DagRun | None:
    for workflow in project.workflows:
        if workflow.kind is WorkflowKind.TRAIN:
            return workflow.last_run
    return None
