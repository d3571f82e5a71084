"""Log lines: filtered, coloured by level, wrapped."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rich.text import Text

from appliance.terminal import clean
from appliance.tui.presentation.formats import count, line
from appliance.tui.presentation.view import Frame, PanelView, Row, empty, failed, loading, title
from appliance.tui.state import Failure

_LEVELS = (
    (
        re.compile(
            r"\b(ERROR|CRITICAL|FATAL|Traceback|Error|Exception)\b|level=(error|critical)", re.A
        ),
        "bad",
    ),
    (re.compile(r"\b(WARN|WARNING)\b|level=warn", re.A), "warning"),
    (re.compile(r"\bDEBUG\b|level=debug", re.A), "faint"),
)


@dataclass(frozen=True, slots=True)
class LogState:
    """A log as the screen has it; `lines` None while the first answer is awaited."""

    name: str
    lines: tuple[str, ...] | None = None
    failure: Failure | None = None
    needle: str = ""
    is_following: bool = True


def present(state: LogState, frame: Frame) -> PanelView:
    """Return the lines that contain the filter, wrapped; the title says what is shown."""
    name = f"Log of {state.name}"
    if state.lines is None:
        if state.failure is not None:
            return failed(name, frame, state.failure)
        return loading(name, frame, "the log")
    if not state.lines:
        return empty(name, frame, "the log is empty", "it fills as soon as the process writes")
    found = [text for text in state.lines if state.needle.lower() in text.lower()]
    if not found:
        return empty(name, frame, f"no line contains “{state.needle}”", "esc clears the filter")
    rows = tuple(Row("", piece) for text in found for piece in _pieces(text, state, frame))
    return PanelView(
        _title(name, state, len(found), frame), rows, is_stale=state.failure is not None
    )


def _title(name: str, state: LogState, found: int, frame: Frame) -> Text:
    follow = ("▼ following", "good") if state.is_following else ("‖ held", "warning")
    total = len(state.lines or ())
    shown = f"{found} of {count(total, 'line')}" if state.needle else count(total, "line")
    needle = (f"/{state.needle}", "accent") if state.needle else ("", "")
    lost = ("cannot be read now", "bad") if state.failure else ("", "")
    return title(name, frame, follow, needle, (shown, "muted"), lost)


def _pieces(text: str, state: LogState, frame: Frame) -> list[Text]:
    shown = clean(text.expandtabs(4))
    style = next((style for pattern, style in _LEVELS if pattern.search(shown)), "plain")
    pieces = [line((part, style)) for part in folded(shown, max(frame.width, 10))]
    if state.needle:
        for piece in pieces:
            piece.highlight_words([state.needle], "match", case_sensitive=False)
    return pieces


def folded(text: str, width: int) -> list[str]:
    """Return `text` in lines of at most `width`, broken after a word where one ends late enough."""
    parts = []
    while len(text) > width:
        space = text.rfind(" ", width // 2, width + 1)
        end = space if space > 0 else width
        parts.append(text[:end])
        text = "  " + text[end:].lstrip()
    return [*parts, text]
