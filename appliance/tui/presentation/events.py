"""The event feed, newest first."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

from rich.text import Text

from appliance.domain.event import Event, Severity
from appliance.tui.presentation import marks
from appliance.tui.presentation.formats import fit, line, moment
from appliance.tui.presentation.view import (
    Frame,
    PanelView,
    Row,
    absent,
    empty,
    old_note,
    title,
    wrapped,
)
from appliance.tui.state import Board

NAME = "Events"
_ROOMY = 50


def present(board: Board, frame: Frame, needle: str = "") -> PanelView:
    """Return the newest events, one a line: instant (KST), severity, summary.

    Those of another project than the one on the screen begin with its name. `needle` keeps only those
    whose summary, kind or actor contains it.
    """
    reading = board.events
    if reading.value is None:
        failure = reading.failure or board.status.failure
        return absent(NAME, frame, replace(reading, failure=failure), "events")
    if not reading.value:
        return empty(NAME, frame, "nothing has happened yet", "decisions and changes appear here")
    shown = [event for event in reversed(reading.value) if matches(event, needle)]
    if not shown:
        return empty(NAME, frame, f"no event contains “{needle}”", "esc clears the filter")
    own = board.project.name if board.project else ""
    rows = tuple(Row(str(event.id), _row(event, own, frame)) for event in shown)
    old = old_note(reading, frame.now) or old_note(board.status, frame.now)
    filtered = f"/{needle}" if needle else ""
    details = [
        (filtered, "accent"),
        ("newest first, KST", "muted"),
        *([(old, "warning")] if old else []),
    ]
    return PanelView(title(NAME, frame, *details), rows, is_stale=bool(old))


def matches(event: Event, needle: str) -> bool:
    """Return whether `needle` occurs in what the event says."""
    words = (event.summary, event.kind.value, event.actor, event.severity.value)
    return any(needle.lower() in word.lower() for word in words)


def _row(event: Event, own: str, frame: Frame) -> Text:
    summary = event.summary
    if event.project not in ("", own) and event.project not in summary:
        summary = f"{event.project}: {summary}"
    mark = marks.SEVERITY[event.severity]
    at = _instant(event.at, frame)
    room = frame.width - len(at) - 4
    style = "plain" if event.severity is Severity.INFO else mark.style
    return line((f"{at} ", "muted"), (f"{mark.glyph} ", mark.style), (fit(summary, room), style))


def _instant(at: datetime, frame: Frame) -> str:
    """Return the time today, the date before; in a narrow feed without seconds."""
    text = moment(at, frame.now)
    if frame.width < _ROOMY:
        return text[:5]
    return f"{text:<8}" if len(text) <= 8 else text


def describe(event: Event, frame: Frame) -> list[Text]:
    """Return everything recorded about one event, wrapped to the frame's width."""
    mark = marks.SEVERITY[event.severity]
    facts = f"{moment(event.at, frame.now)} KST · {event.kind.value} · by {event.actor}"
    project = f" · {event.project}" if event.project else ""
    lines = [
        line((f"{mark.glyph} {mark.word}", mark.style)),
        line((facts + project, "muted")),
        line(),
    ]
    lines += [line((piece, "strong")) for piece in wrapped(event.summary, frame.width)]
    if event.details:
        lines += [line(), line(("Evidence", "heading"))]
        lines += [
            line((piece, "plain"))
            for key, value in event.details.items()
            for piece in wrapped(f"{key}: {_words(value)}", frame.width)
        ]
    return lines


def _words(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
