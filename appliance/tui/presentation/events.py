"""The event feed, newest first."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

from rich.text import Text

from appliance.domain.event import Event, Severity
from appliance.tui.presentation import marks
from appliance.tui.presentation.formats import age, fit, full_moment, line, moment, zone_name
from appliance.tui.presentation.view import (
    Frame,
    PanelView,
    Row,
    SortValue,
    absent,
    empty,
    old_note,
    title,
    wrapped,
)
from appliance.tui.state import Board

NAME = "Events"
_ROOMY = 50
_NAMES = 10
_COLUMNS = ("time", "severity", "kind", "project", "actor")


def present(board: Board, frame: Frame) -> PanelView:
    """Return the newest events, one a line: instant, severity, summary.

    Those of another project than the one on the screen begin with its name.
    """
    reading = board.events
    if reading.value is None:
        failure = reading.failure or board.status.failure
        return absent(NAME, frame, replace(reading, failure=failure), "events")
    if not reading.value:
        return empty(NAME, frame, "nothing has happened yet", "decisions and changes appear here")
    own = board.project.name if board.project else ""
    rows = tuple(
        Row(str(event.id), _row(event, own, frame), _search_words(event), _sort_values(event))
        for event in reversed(reading.value)
    )
    old = old_note(reading, frame.now) or old_note(board.status, frame.now)
    details = [
        (f"newest first, {zone_name(frame.now)}", "muted"),
        *([(old, "warning")] if old else []),
    ]
    text = title(NAME, frame, *details)
    return PanelView(text, rows, is_stale=bool(old), columns=_COLUMNS)


def _search_words(event: Event) -> str:
    words = (event.summary, event.kind.value, event.actor, event.severity.value, event.project)
    return " ".join(words)


def _sort_values(event: Event) -> tuple[SortValue, ...]:
    severity = list(Severity).index(event.severity)
    return (event.at, severity, event.kind.value, event.project or None, event.actor)


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
    lines = [line((f"{mark.glyph} {mark.word}", mark.style), (f"  {event.kind}", "muted")), line()]
    lines += [line((piece, "strong")) for piece in wrapped(event.summary, frame.width)]
    return [*lines, line(), *record(event, frame)]


def record(event: Event, frame: Frame) -> list[Text]:
    """Return when it was, who did it and through what, and the evidence."""
    lines: list[Text] = []
    for name, text in _facts(event, frame):
        pieces = wrapped(text, max(frame.width - _NAMES, 1))
        lines += [
            line((f"{name if index == 0 else '':<{_NAMES}}", "muted"), (piece, "plain"))
            for index, piece in enumerate(pieces)
        ]
    if event.details:
        lines += [line(), line(("Evidence", "heading"))]
        lines += [
            line((piece, "plain"))
            for key, value in event.details.items()
            for piece in wrapped(f"{key}: {_words(value)}", frame.width)
        ]
    return lines


def _facts(event: Event, frame: Frame) -> list[tuple[str, str]]:
    """Return when it was, and the chain of who did it and who asked for that, each in words."""
    facts = [("when", f"{full_moment(event.at)}, {age(event.at, frame.now)}")]
    if event.project:
        facts.append(("project", event.project))
    if event.origin is None:
        return [*facts, ("who", event.actor)]
    name, link = "who", event.origin
    while True:
        facts.append((name, replace(link, cause=None).words))
        if link.cause is None:
            return facts
        name, link = "asked by", link.cause


def _words(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
