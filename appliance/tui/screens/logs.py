"""Logs of services and tasks: follow, filter, choose another service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from appliance.control.api import Control
from appliance.domain.workflow import WorkflowKind
from appliance.tui.background import ask
from appliance.tui.messages import LogRead
from appliance.tui.presentation import services
from appliance.tui.presentation.logs import LogState, present
from appliance.tui.screens.page import Page
from appliance.tui.state import Board, Failure
from appliance.tui.widgets.bars import Lines
from appliance.tui.widgets.panel import Panel

LINES_READ = 500
READ_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ServiceLog:
    """The log of one service; an empty name means the first one."""

    name: str

    @property
    def title(self) -> str:
        """Name for the panel."""
        return self.name

    def read(self, control: Control) -> list[str]:
        """Return the newest lines."""
        return control.service_log(self.name, LINES_READ)


@dataclass(frozen=True, slots=True)
class TaskLog:
    """The log of a task instance's newest try."""

    project: str
    kind: WorkflowKind
    run_id: str
    task_id: str

    @property
    def title(self) -> str:
        """Name for the panel."""
        return f"{self.kind.value}/{self.task_id}"

    def read(self, control: Control) -> list[str]:
        """Return the newest lines."""
        return control.task_log(self.project, self.kind, self.run_id, self.task_id, LINES_READ)


class LogsPage(Page):
    """One log; beside a service's log stands the list of services."""

    AUTO_FOCUS = "#log"
    OWN_KEYS: ClassVar[Sequence[tuple[str, str]]] = (
        ("esc", "Back"),
        ("/", "Filter"),
        ("f", "Follow"),
        ("tab", "Service"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [Binding("f", "follow", "Follow", show=False)]

    def __init__(self, source: ServiceLog | TaskLog) -> None:
        super().__init__()
        self.source = source
        self.state = LogState(source.title)
        self._is_reading = False

    def compose_body(self) -> ComposeResult:
        """Place the log, and the services beside a service's log."""
        with Horizontal(id="body"):
            if isinstance(self.source, ServiceLog):
                yield Panel(id="sources")
            with Vertical():
                yield Lines(id="about", max_lines=3)
                yield Panel(id="log")

    def on_mount(self) -> None:
        """Read now and then every second."""
        super().on_mount()
        self._read()
        self.set_interval(READ_SECONDS, self._read)

    def show_board(self, board: Board, now: datetime) -> None:
        """Show the log and, beside it, the services."""
        super().show_board(board, now)
        if isinstance(self.source, ServiceLog):
            self.panel("sources").show(partial(services.names, board, self.source.name), now)
            about = partial(services.about, board, self.source.name)
            self.query_one("#about", Lines).show(about, now)
        self.state = replace(self.state, needle=self.needle)
        self.panel("log").show(partial(present, self.state), now)
        if self.state.is_following:
            self.panel("log").scroll_end(animate=False)

    def filtered_panel(self, panels: list[Panel]) -> Panel:
        """The filter narrows the log."""
        del panels
        return self.panel("log")

    def action_follow(self) -> None:
        """Stay at the log's end, or hold still."""
        self.state = replace(self.state, is_following=not self.state.is_following)
        self.show_again()

    def _read(self) -> None:
        if self._is_reading or not self.is_current:
            return
        self._is_reading = True
        source, control = self.source, self.appliance.control
        ask(self, lambda: source.read(control), partial(_answer, source.title))

    @on(LogRead)
    def _show_log(self, message: LogRead) -> None:
        self._is_reading = False
        if message.source != self.source.title:
            self._read()
            return
        before = self.state
        if isinstance(message.lines, Failure):
            self.state = replace(self.state, failure=message.lines)
        else:
            self.state = replace(self.state, lines=message.lines, failure=None)
        if self.state != before:
            self.show_again()

    @on(Panel.Moved, "#sources")
    def _switch(self, moved: Panel.Moved) -> None:
        if moved.key and moved.key != self.source.title:
            self.source = ServiceLog(moved.key)
            self.state = LogState(moved.key, is_following=self.state.is_following)
            self.show_again()
            self._read()

    @on(Panel.Chosen, "#sources")
    def _focus_log(self) -> None:
        self.panel("log").focus()


def _answer(source: str, lines: list[str] | Failure) -> LogRead:
    return LogRead(source, lines if isinstance(lines, Failure) else tuple(lines))
