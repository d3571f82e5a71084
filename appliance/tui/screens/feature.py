"""One feature's drift in full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from appliance.tui.background import ask
from appliance.tui.messages import MonitoringRead
from appliance.tui.presentation import feature
from appliance.tui.presentation.feature import FeatureState
from appliance.tui.screens.page import Page
from appliance.tui.state import Board, Failure
from appliance.tui.widgets.panel import Panel

READ_SECONDS = 5.0


class FeaturePage(Page):
    """The sentence, the two distributions and the statistics; an empty name is the worst feature."""

    AUTO_FOCUS = "#feature"
    CRUMB = "feature"
    OWN_KEYS: ClassVar[Sequence[tuple[str, str]]] = (("esc", "Back"), ("monitoring", "Monitoring"))

    def __init__(self, name: str = "") -> None:
        super().__init__()
        self.state = FeatureState(name)
        self._is_reading = False

    def compose_body(self) -> ComposeResult:
        """Place the panel."""
        yield Panel(id="feature")

    def on_mount(self) -> None:
        """Read now and then every few seconds."""
        super().on_mount()
        self.read()
        self.set_interval(READ_SECONDS, self.read)

    def show_board(self, board: Board, now: datetime) -> None:
        """Show the feature."""
        super().show_board(board, now)
        self.panel("feature").show(partial(feature.present, self.state), now)

    def read(self) -> None:
        """Ask for the newest report unless an answer is awaited or nobody looks."""
        project = self.appliance.board.project
        if self._is_reading or project is None or not self.is_current:
            return
        self._is_reading = True
        name, control = project.name, self.appliance.control
        ask(self, lambda: control.monitoring(name), partial(MonitoringRead, name))

    @on(MonitoringRead)
    def _show_answer(self, message: MonitoringRead) -> None:
        self._is_reading = False
        if isinstance(message.known, Failure):
            self.state = replace(self.state, failure=message.known)
        else:
            report = message.known.report
            self.state = replace(self.state, report=report, is_read=True, failure=None)
        self.show_again()
