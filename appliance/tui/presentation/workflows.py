"""The table of the four workflows."""

from __future__ import annotations

from datetime import datetime

from rich.text import Text

from appliance.domain.workflow import RunState, WorkflowKind, WorkflowStatus
from appliance.tui.presentation import marks
from appliance.tui.presentation.formats import UNKNOWN, age, fit, line, short_span, span, until
from appliance.tui.presentation.view import (
    Frame,
    PanelView,
    Row,
    SortValue,
    absent,
    empty,
    old_note,
    stale_note,
    title,
)
from appliance.tui.state import Board

NAME = "Workflows"
_ROOMY = 56
"""From this width on, the table has a column of its own for when the run was."""

PURPOSE = {
    WorkflowKind.DATA: "fetch candles, repair gaps, check quality",
    WorkflowKind.TRAIN: "train, evaluate, compare, register",
    WorkflowKind.INFERENCE: "forecast new candles, join outcomes",
    WorkflowKind.MONITORING: "watch performance and drift, decide on a retrain",
}
"""What each workflow does, in a few words."""


def present(board: Board, frame: Frame) -> PanelView:
    """Return each workflow with last state, duration and next run."""
    if board.status.value is None:
        return absent(NAME, frame, board.status, "workflows")
    project = board.project
    if project is None or not project.workflows:
        reason = board.stale_reason("workflows")
        what = f"no workflows: {reason}" if reason else "no workflows yet"
        return empty(NAME, frame, what, "they appear once Airflow has parsed the DAG files")
    widths = _columns(project.workflows, frame)
    rows = tuple(
        Row(w.kind.value, _row(w, widths, frame), sort=_sort_values(w)) for w in project.workflows
    )
    stale = old_note(board.status, frame.now) or stale_note(board, "workflows", frame.now)
    reason = board.stale_reason("workflows")
    styled = [(project.name, "muted"), (stale, "warning")]
    styled += [(reason, "muted")] if reason != stale else []
    return PanelView(
        title(NAME, frame, *styled),
        rows,
        _heading(widths),
        is_stale=bool(stale),
        columns=("workflow", "last", "when", "took", "next"),
    )


def _sort_values(workflow: WorkflowStatus) -> tuple[SortValue, ...]:
    run = workflow.last_run
    at = (run.ended_at or run.started_at or run.queued_at) if run else None
    took = run.duration if run else None
    return (workflow.kind.value, _mark(workflow).word, at, took, workflow.next_run_at)


def _columns(workflows: tuple[WorkflowStatus, ...], frame: Frame) -> tuple[int, int, int]:
    """Return the widths of state, when and duration."""
    words = [len(_mark(workflow).word) for workflow in workflows]
    if frame.width >= _ROOMY:
        return (max([9, *words]), 11, 8)
    return (max([7, *words]), 0, 5)


def _mark(workflow: WorkflowStatus) -> marks.Mark:
    nothing = RunState.NONE if workflow.is_known else RunState.UNKNOWN
    return marks.of_run(workflow.last_run) if workflow.last_run else marks.RUN[nothing]


def _heading(widths: tuple[int, int, int]) -> Text:
    state, when, duration = widths
    at = f"{'when':<{when}} " if when else ""
    return line((f"  {'workflow':<10} {'last':<{state}} {at}{'took':>{duration}} next", "heading"))


def _row(workflow: WorkflowStatus, widths: tuple[int, int, int], frame: Frame) -> Text:
    if workflow.import_error:
        return _broken(workflow, frame)
    mark, (state, when, duration) = _mark(workflow), widths
    text = line(
        (f"{mark.glyph} ", mark.style),
        (f"{workflow.kind.value:<10} ", "plain"),
        (f"{mark.word:<{state}} ", mark.style),
        (f"{_when(workflow, frame.now):<{when}} " if when else "", "muted"),
        (f"{took(workflow, frame.now):>{duration}} ", "plain"),
    )
    upcoming = next_run(workflow, frame.now)
    room = frame.width - text.cell_len
    if len(upcoming) > room:
        upcoming = upcoming.replace("after ", "↳ ")
    return text.append(fit(upcoming, room), "muted")


def _broken(workflow: WorkflowStatus, frame: Frame) -> Text:
    lines = workflow.import_error.strip().splitlines()
    text = f"DAG file broken: {lines[-1] if lines else ''}"
    name = f"{workflow.kind.value:<10} "
    return line(("✖ ", "bad"), (name, "plain"), (fit(text, frame.width - 13), "bad"))


def _when(workflow: WorkflowStatus, now: datetime) -> str:
    run = workflow.last_run
    at = run and (run.ended_at or run.started_at or run.queued_at)
    return age(at, now) if at else UNKNOWN


def took(workflow: WorkflowStatus, now: datetime) -> str:
    """Return the last run's duration; of a running one, the time it has taken so far."""
    run = workflow.last_run
    if run is None:
        return UNKNOWN
    if run.state is RunState.RUNNING and run.started_at is not None:
        return short_span((now - run.started_at).total_seconds())
    return span(run.duration) if (run.duration or 0) < 60 else short_span(run.duration or 0)


def next_run(workflow: WorkflowStatus, now: datetime) -> str:
    """Return when the workflow runs next: an instant, or the event it waits for."""
    if workflow.is_paused:
        return "paused"
    if workflow.next_run_at is not None:
        return until(workflow.next_run_at, now)
    return workflow.schedule or "on request"
