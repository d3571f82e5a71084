"""The dialog of everything that needs the operator."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult

from appliance import clock
from appliance.tui.presentation import problems
from appliance.tui.presentation.why_problems import explain_problem
from appliance.tui.screens.modals import Dialog
from appliance.tui.widgets.panel import Panel

if TYPE_CHECKING:
    from appliance.tui.app import ApplianceApp


class ProblemsModal(Dialog[None]):
    """Lists problems, those of one cause in one row; the chosen one is below in full."""

    TITLE_TEXT = "Problems"
    KEYS = (("j k", "choose"), ("enter", "why"), ("/", "filter"), ("esc", "close"))
    HAS_LIST = True

    def __init__(self) -> None:
        super().__init__(classes="-large")

    def compose_body(self) -> ComposeResult:
        """Place the list above the detail."""
        yield Panel(id="causes")
        yield Panel(id="cause")

    def on_mount(self) -> None:
        """Show what is known, and follow what changes."""
        self._show()
        self.call_after_refresh(self._show)  # the list knows its rows once it has a size
        self.set_interval(1.0, self._show)

    @on(Panel.Moved, "#causes")
    def _show(self) -> None:
        board, now = cast("ApplianceApp", self.app).board, clock.now()
        causes = self.query_one("#causes", Panel)
        causes.show(partial(problems.present, board), now)
        detail = partial(problems.detail, board, causes.selected_key)
        self.query_one("#cause", Panel).show(detail, now)

    @on(Panel.Chosen, "#causes")
    def _explain(self, chosen: Panel.Chosen) -> None:
        app = cast("ApplianceApp", self.app)
        found = problems.first_problem(app.board, chosen.key)
        if found is None:
            self.query_one("#cause", Panel).focus()
            return
        self.dismiss(None)
        app.open_why(explain_problem(found, app.board))
