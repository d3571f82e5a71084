"""How events look as markers of a chart: glyph, word and colour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from appliance.domain.event import Event, EventKind, Severity
from appliance.tui.presentation.marks import Mark

_MARKS = {
    EventKind.PROMOTED: Mark("▲", "promoted", "good"),
    EventKind.ROLLED_BACK: Mark("◀", "rolled back", "warning"),
    EventKind.TRAINED: Mark("◆", "trained", "info"),
    EventKind.RETRAIN_DECIDED: Mark("↻", "retrain", "info"),
    EventKind.DRIFT_VERDICT: Mark("!", "drift alarm", "bad"),
    EventKind.PROBLEM_FOUND: Mark("!", "problem", "bad"),
    EventKind.MODEL_HELD: Mark("‖", "held", "warning"),
    EventKind.MODEL_REFUSED: Mark("✖", "refused", "bad"),
    EventKind.SERVICE_STATE: Mark("◐", "service", "warning"),
    EventKind.SERVICE_GIVEN_UP: Mark("✖", "given up", "bad"),
}
_OTHER = {
    Severity.INFO: Mark("·", "event", "muted"),
    Severity.WARNING: Mark("!", "warning", "warning"),
    Severity.ERROR: Mark("!", "error", "bad"),
}


def mark(event: Event) -> Mark:
    """Return how an event looks."""
    return _MARKS.get(event.kind, _OTHER[event.severity])


def changes_production(event: Event) -> bool:
    """Whether another version forecasts from then on."""
    return event.kind in {EventKind.PROMOTED, EventKind.ROLLED_BACK}


def legend(columns: Iterable[Sequence[Event]]) -> str:
    """Return the marks that a chart shows, each with its word once."""
    marks = dict.fromkeys(mark(event) for events in columns for event in events)
    return "  ".join(f"{each.glyph} {each.word}" for each in marks)
