"""Runs of a workflow, their tasks, and from there the tasks' logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal

from appliance.domain.workflow import DagRun, RunState, WorkflowKind
from appliance.tui.log_sources import AtError, TaskLog
from appliance.tui.messages import RunRead, RunsRead
from appliance.tui.presentation import runs
from appliance.tui.presentation.why import explain_run
from appliance.tui.screens.logs import LogsPage
from appliance.tui.screens.page import Page
from appliance.tui.state import Board, Failure
from appliance.tui.widgets.panel import Panel

READ_SECONDS = 2.0
RUNS_READ = 30


class RunsPage(Page):
    """Workflow, run, task, from left to right."""

    AUTO_FOCUS = "#runs"
    IS_OF_PROJECT = True
    OWN_KEYS: ClassVar[Sequence[tuple[str, str]]] = (("esc", "Back"), ("enter", "Open"))

    def __init__(self, kind: WorkflowKind) -> None:
        super().__init__()
        self.state = runs.RunsState(kind)
        self._run_id = ""

    @property
    def crumb(self) -> str:
        """The page and its workflow."""
        return f"runs › {self.state.kind.value}"

    def compose_body(self) -> ComposeResult:
        """Place the three columns."""
        with Horizontal(id="body"):
            yield Panel(id="kinds")
            yield Panel(id="runs")
            yield Panel(id="tasks")

    def on_mount(self) -> None:
        """Read now and then every other second."""
        super().on_mount()
        self.panel("kinds").cursor = list(WorkflowKind).index(self.state.kind)
        self.read()
        self.set_interval(READ_SECONDS, self.read)

    def show_board(self, board: Board, now: datetime) -> None:
        """Show the three columns."""
        self.panel("kinds").show(partial(runs.kinds, self.state.kind), now)
        self.panel("runs").show(partial(runs.runs, self.state), now)
        self.panel("tasks").show(partial(runs.tasks, self.state), now)
        super().show_board(board, now)

    def forget(self) -> None:
        """Forget what was read."""
        self.state = runs.RunsState(self.state.kind)
        self._run_id = ""

    def read(self) -> None:
        """Ask for the runs."""
        project = self.appliance.board.project
        if project is None or not self.is_current:
            return
        control, kind, name = self.appliance.control, self.state.kind, project.name
        self.ask(lambda: control.dag_runs(name, kind, RUNS_READ), partial(_runs, kind))

    def _read_run(self, run_id: str) -> None:
        project = self.appliance.board.project
        if project is None or not run_id:
            return
        control, kind, name = self.appliance.control, self.state.kind, project.name
        self.ask(lambda: control.dag_run(name, kind, run_id), partial(RunRead, run_id))

    @on(RunsRead)
    def _show_runs(self, message: RunsRead) -> None:
        if self.is_late(message) or message.kind is not self.state.kind:
            return
        if isinstance(message.runs, Failure):
            self.state = replace(self.state, failure=message.runs)
        else:
            self.state = replace(self.state, runs=message.runs, failure=None)
        self.show_again()
        self._follow_cursor()

    def _follow_cursor(self) -> None:
        """Read the run under the cursor, unless its final state is known."""
        run_id = self.panel("runs").selected_key
        known = self.state.run
        if known is None or known.run_id != run_id or not known.state.is_finished:
            self._run_id = run_id
            self._read_run(run_id)

    @on(RunRead)
    def _show_run(self, message: RunRead) -> None:
        if self.is_late(message) or message.run_id != self._run_id:
            return
        if isinstance(message.run, Failure):
            self.state = replace(self.state, run_failure=message.run)
        else:
            self.state = replace(self.state, run=message.run, run_failure=None)
        self.show_again()

    @on(Panel.Moved, "#runs")
    def _choose_run(self) -> None:
        self.state = replace(self.state, run=None, run_failure=None)
        self.show_again()
        self._follow_cursor()

    @on(Panel.Moved, "#kinds")
    def _choose_kind(self, moved: Panel.Moved) -> None:
        kind = WorkflowKind(moved.key)
        if kind is not self.state.kind:
            self.state = runs.RunsState(kind)
            self.panel("runs").cursor = 0
            self.show_again()
            self.read()

    @on(Panel.Chosen, "#kinds")
    def _to_runs(self) -> None:
        self.panel("runs").focus()

    @on(Panel.Chosen, "#runs")
    def _open_run(self, chosen: Panel.Chosen) -> None:
        """Go to the failing line of a failed run, to the tasks of any other."""
        project, run = self.appliance.board.project, self._run_of(chosen.key)
        if project is None or run is None or not run.has_failed:
            self.panel("tasks").focus()
            return
        self.appliance.open_evidence(explain_run(project.name, self.state.kind, run))

    def _run_of(self, run_id: str) -> DagRun | None:
        """The run with its tasks where they are read already."""
        known = (self.state.run, *(self.state.runs or ()))
        return next((run for run in known if run is not None and run.run_id == run_id), None)

    @on(Panel.Chosen, "#tasks")
    def _open_log(self, chosen: Panel.Chosen) -> None:
        project, run = self.appliance.board.project, self.state.run
        if project is not None and run is not None and chosen.key:
            log = TaskLog(project.name, self.state.kind, run.run_id, chosen.key)
            task = next(task for task in run.tasks if task.task_id == chosen.key)
            is_failed = task.state is RunState.FAILED
            self.app.push_screen(LogsPage(log, AtError() if is_failed else None))


def _runs(kind: WorkflowKind, found: list[DagRun] | Failure) -> RunsRead:
    return RunsRead(kind, found if isinstance(found, Failure) else tuple(found))
