"""One event in all its details; the one place that every list opens an event through."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from appliance.domain.event import Event
from appliance.tui.presentation import events
from appliance.tui.presentation.why_events import explain_event

if TYPE_CHECKING:
    from appliance.tui.app import ApplianceApp


def open_event(app: ApplianceApp, event: Event) -> None:
    """Show what happened and what follows from it, who did it and through what, and the evidence."""
    app.open_why(explain_event(event, app.board), partial(events.record, event))
