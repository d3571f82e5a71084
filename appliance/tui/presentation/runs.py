"""Runs of a workflow and the tasks of one run."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text

from appliance.domain.workflow import DagRun, RunState, TaskInstance, WorkflowKind
from appliance.tui.presentation import marks
from appliance.tui.presentation.formats import UNKNOWN, fit, line, moment, span
from appliance.tui.presentation.view import Frame, PanelView, Row, empty, failed, loading, title
from appliance.tui.state import Failure


@dataclass(frozen=True, slots=True)
class RunsState:
    """Runs of one workflow and the chosen run with its tasks, as last read."""

    kind: WorkflowKind
    runs: tuple[DagRun, ...] | None = None
    failure: Failure | None = None
    run: DagRun | None = None
    run_failure: Failure | None = None


def kinds(chosen: WorkflowKind, frame: Frame) -> PanelView:
    """Return the four workflows to choose from."""
    rows = tuple(
        Row(kind.value, line(("▸ " if kind is chosen else "  ", "accent"), (kind.value, "plain")))
        for kind in WorkflowKind
    )
    return PanelView(title("Workflow", frame), rows)


def runs(state: RunsState, frame: Frame) -> PanelView:
    """Return the runs, newest first."""
    name = f"Runs of {state.kind.value}"
    if state.runs is None:
        return failed(name, frame, state.failure) if state.failure else loading(name, frame, "runs")
    if not state.runs:
        return empty(name, frame, "it has not run yet", "w runs it")
    rows = tuple(Row(run.run_id, _run(run, frame)) for run in state.runs)
    return PanelView(title(name, frame), rows, is_stale=state.failure is not None)


def _run(run: DagRun, frame: Frame) -> Text:
    mark = marks.RUN[run.state]
    at = moment(run.started_at or run.queued_at, frame.now)
    used = 2 + 9 + 12 + 9
    return line(
        (f"{mark.glyph} {mark.word:<9}", mark.style),
        (f"{at:<12}", "plain"),
        (f"{_took(run.duration, run.started_at, run.state, frame):>7}  ", "muted"),
        (fit(run.run_type, frame.width - used), "faint"),
    )


def _took(duration: float | None, started_at: object, state: RunState, frame: Frame) -> str:
    from datetime import datetime

    if state is RunState.RUNNING and isinstance(started_at, datetime):
        return span((frame.now - started_at).total_seconds())
    return span(duration)


def tasks(state: RunsState, frame: Frame) -> PanelView:
    """Return the tasks of the chosen run in the order Airflow gave."""
    name = "Tasks"
    if state.run is None:
        if state.run_failure is not None:
            return failed(name, frame, state.run_failure)
        if not state.runs:
            return empty(name, frame, "no run chosen", "j and k choose one")
        return loading(name, frame, "tasks")
    if not state.run.tasks:
        return empty(
            name, frame, "this run has no tasks yet", "Airflow creates them when it starts"
        )
    rows = tuple(Row(task.task_id, _task(task, frame)) for task in state.run.tasks)
    mark = marks.RUN[state.run.state]
    return PanelView(
        title(
            name, frame, (f"{mark.glyph} {mark.word}", mark.style), ("enter opens the log", "muted")
        ),
        rows,
    )


def _task(task: TaskInstance, frame: Frame) -> Text:
    mark = marks.RUN[task.state]
    took = span(task.duration) if task.duration is not None else UNKNOWN
    tries = f" try {task.try_number}" if task.try_number > 1 else ""
    room = frame.width - 2 - 9 - 9 - len(tries)
    return line(
        (f"{mark.glyph} ", mark.style),
        (fit(task.task_id, room), "plain"),
        (f" {mark.word:<8}", mark.style),
        (f"{took:>9}{tries}", "muted"),
    )
