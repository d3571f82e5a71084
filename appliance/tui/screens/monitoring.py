"""Monitoring: what has drifted, how the losses fare, who is compared with whom, why (not) retrained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from appliance.domain.monitoring import Monitoring
from appliance.tui.presentation import monitoring
from appliance.tui.presentation.monitoring import MonitoringState
from appliance.tui.presentation.why_model import explain_model
from appliance.tui.screens.feature import FeaturePage
from appliance.tui.screens.monitored import MonitoredPage
from appliance.tui.state import Board, Failure
from appliance.tui.widgets.panel import Panel


class MonitoringPage(MonitoredPage):
    """Features on one side; losses, comparisons and retraining on the other."""

    AUTO_FOCUS = "#features"
    CRUMB = "monitoring"
    OWN_KEYS: ClassVar[Sequence[tuple[str, str]]] = (("esc", "Back"), ("zoom", "Zoom"))

    def __init__(self, *, asks_why: bool = False) -> None:
        """Make the page; with `asks_why` it says why the model is as it is once that is read."""
        super().__init__()
        self._asks_why = asks_why
        self.state = MonitoringState()

    def compose_body(self) -> ComposeResult:
        """Place the four panels."""
        with Horizontal(id="body"):
            yield Panel(id="features")
            with Vertical(id="evidence"):
                yield Panel(id="losses")
                yield Panel(id="trials")
                yield Panel(id="retraining")

    def show_board(self, board: Board, now: datetime) -> None:
        """Show the four panels."""
        super().show_board(board, now)
        for name in ("features", "losses", "trials", "retraining"):
            self.panel(name).show(partial(getattr(monitoring, name), self.state), now)

    def forget(self) -> None:
        """Forget what was read."""
        self.state = MonitoringState()

    def take(self, known: Monitoring | Failure) -> None:
        """Keep everything, or why it could not be read; say why the model is so where that was asked."""
        if isinstance(known, Failure):
            self.state = replace(self.state, failure=known)
            return
        self.state = MonitoringState(known)
        if self._asks_why:
            self._asks_why = False
            self._explain_model()

    @on(Panel.Chosen, "#features")
    def _open_feature(self, chosen: Panel.Chosen) -> None:
        if chosen.key:
            self.app.push_screen(FeaturePage(chosen.key))

    @on(Panel.Chosen, "#losses, #retraining")
    def _explain_model(self) -> None:
        known, project = self.state.known, self.appliance.board.project
        if known is not None and project is not None:
            self.appliance.open_why(explain_model(project, known, self.appliance.board))
