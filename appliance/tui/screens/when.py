"""The dialog that asks for a time of the recording."""

from __future__ import annotations

from datetime import datetime

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input, Static

from appliance import clock
from appliance.config.when import parse_when
from appliance.tui.presentation.formats import full_moment, line
from appliance.tui.screens.modals import Dialog
from appliance.tui.state import Past
from appliance.tui.widgets.field import Field


class WhenModal(Dialog[datetime]):
    """Asks for a time; everything is then shown as it was."""

    AUTO_FOCUS = "#when"
    KEYS = (("enter", "go there"), ("esc", "cancel"))
    TITLE_TEXT = "Show which time?"

    def __init__(self, past: Past | None) -> None:
        super().__init__()
        self._past = past

    def compose_body(self) -> ComposeResult:
        """Place words and field."""
        past = self._past
        words = (
            f"{full_moment(past.first_at)} to {full_moment(past.last_at)} is recorded."
            if past
            else f"Every screen is shown as it was. It is {full_moment(clock.now())}."
        )
        yield Static(line((words, "plain")), classes="words")
        yield Field(id="when", placeholder="02:13, 2026-03-01 02:13, or -2h")
        yield Static("", id="wrong")

    @on(Input.Submitted)
    def _take(self, event: Input.Submitted) -> None:
        try:
            self.dismiss(parse_when(event.value, clock.now()))
        except ValueError as error:
            self.query_one("#wrong", Static).update(line((f"✖ {error} is expected", "bad")))
