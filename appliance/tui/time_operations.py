"""What the keys of time travel do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from appliance.domain.event import Event
from appliance.tui.screens.when import WhenModal
from appliance.tui.widgets.panel import Panel

if TYPE_CHECKING:
    from datetime import datetime

    from appliance.tui.app import ApplianceApp


def travel(app: ApplianceApp) -> None:
    """Go to when the event under the cursor happened; elsewhere ask for a time."""
    if app.traveller.recording is None:
        app.notify("this console has no recording to read", severity="warning")
        return
    event = _event_under_cursor(app)
    if event is not None:
        app.go_to(event.at)
        return

    def chosen(at: datetime | None) -> None:
        if at is not None:
            app.go_to(at)

    app.push_screen(WhenModal(app.board.past), chosen)


def _event_under_cursor(app: ApplianceApp) -> Event | None:
    focused = app.screen.focused
    if not isinstance(focused, Panel) or focused.id != "events":
        return None
    known = app.board.events.value or ()
    return next((event for event in known if str(event.id) == focused.selected_key), None)


def step(app: ApplianceApp, *, forward: bool, events_only: bool = False) -> None:
    """Go to the next change or event."""
    app.traveller.step(app.board, forward=forward, events_only=events_only)


def play(app: ApplianceApp) -> None:
    """Play on, or stand still."""
    app.show_past(app.traveller.play(app.board))


def change_speed(app: ApplianceApp, steps: int) -> None:
    """Play faster or slower."""
    app.show_past(app.traveller.change_speed(app.board, steps))


TIME_OPERATIONS: dict[str, Callable[[ApplianceApp], None]] = {
    "travel": travel,
    "past_back": partial(step, forward=False),
    "past_on": partial(step, forward=True),
    "past_event_back": partial(step, forward=False, events_only=True),
    "past_event_on": partial(step, forward=True, events_only=True),
    "past_play": play,
    "past_slower": partial(change_speed, steps=-1),
    "past_faster": partial(change_speed, steps=1),
    "past_now": lambda app: app.return_to_now(),
}
"""Action id to operation."""

PAST_KEYS = frozenset(TIME_OPERATIONS) - {"travel"}
"""Actions whose keys have this meaning only while another time than now is shown."""
