"""One feature's drift in full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult

from appliance.domain.monitoring import Monitoring
from appliance.tui.presentation import feature
from appliance.tui.presentation.feature import FeatureState
from appliance.tui.screens.monitored import MonitoredPage
from appliance.tui.state import Board, Failure
from appliance.tui.widgets.panel import Panel


class FeaturePage(MonitoredPage):
    """The sentence, the two distributions and the statistics; an empty name is the worst feature."""

    AUTO_FOCUS = "#feature"
    CRUMB = "feature"
    OWN_KEYS: ClassVar[Sequence[tuple[str, str]]] = (("esc", "Back"), ("monitoring", "Monitoring"))

    def __init__(self, name: str = "") -> None:
        super().__init__()
        self.state = FeatureState(name)

    def compose_body(self) -> ComposeResult:
        """Place the panel."""
        yield Panel(id="feature")

    def show_board(self, board: Board, now: datetime) -> None:
        """Show the feature."""
        super().show_board(board, now)
        self.panel("feature").show(partial(feature.present, self.state), now)

    def forget(self) -> None:
        """Forget the report; the feature stays the one that was asked for."""
        self.state = FeatureState(self.state.feature)

    def take(self, known: Monitoring | Failure) -> None:
        """Keep the report, or why it could not be read."""
        if isinstance(known, Failure):
            self.state = replace(self.state, failure=known)
        else:
            self.state = replace(self.state, report=known.report, is_read=True, failure=None)
