"""Runs of a workflow and the tasks of one run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rich.text import Text

from appliance.domain.workflow import DagRun, RunState, TaskInstance, WorkflowKind
from appliance.tui.action_keys import key_of
from appliance.tui.presentation import marks
from appliance.tui.presentation.formats import fit, line, moment, short_span, span
from appliance.tui.presentation.view import (
    Frame,
    PanelView,
    Row,
    SortValue,
    empty,
    failed,
    loading,
    title,
)
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
        return empty(name, frame, "it has not run yet", f"{key_of('run')} runs it")
    rows = tuple(Row(run.run_id, _run(run, frame), sort=_run_values(run)) for run in state.runs)
    return PanelView(
        title(name, frame),
        rows,
        is_stale=state.failure is not None,
        columns=("state", "time", "took", "type"),
    )


def _run_values(run: DagRun) -> tuple[SortValue, ...]:
    return (
        marks.of_run(run).word, run.started_at or run.queued_at, run.duration, run.run_type
    )  # fmt: skip


def _run(run: DagRun, frame: Frame) -> Text:
    mark = marks.of_run(run)
    at = moment(run.started_at or run.queued_at, frame.now)
    text = line(
        (f"{mark.glyph} {mark.word:<8}", mark.style),
        (f"{at:<12}", "plain"),
        (f"{_took(run, frame.now):>6} ", "muted"),
    )
    asked = run.run_type if run.cause is None else f"by {run.cause.brief}"
    return text.append_text(line((fit(asked, frame.width - text.cell_len), "faint")))


def _took(run: DagRun, now: datetime) -> str:
    if run.state is RunState.RUNNING and run.started_at is not None:
        return short_span((now - run.started_at).total_seconds())
    seconds = run.duration
    return span(seconds) if seconds is None or seconds < 60 else short_span(seconds)


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
    rows = tuple(
        Row(task.task_id, _task(task, frame), sort=_task_values(task)) for task in state.run.tasks
    )
    mark = marks.of_run(state.run)
    return PanelView(
        title(
            name, frame, (f"{mark.glyph} {mark.word}", mark.style), ("enter opens the log", "muted")
        ),
        rows,
        columns=("task", "state", "took", "tries"),
    )


def _task_values(task: TaskInstance) -> tuple[SortValue, ...]:
    return (task.task_id, marks.RUN[task.state].word, task.duration, task.try_number)


def _task(task: TaskInstance, frame: Frame) -> Text:
    mark = marks.RUN[task.state]
    took = span(task.duration) if (task.duration or 0) < 60 else short_span(task.duration or 0)
    tries = f" ×{task.try_number}" if task.try_number > 1 else ""
    end = f"{mark.word:<8}{took:>6}{tries}"
    name = fit(task.task_id, max(frame.width - 3 - len(end), 6))
    return line(
        (f"{mark.glyph} ", mark.style),
        (f"{name} ", "plain"),
        (f"{mark.word:<8}", mark.style),
        (f"{took:>6}{tries}", "muted"),
    )
