"""The loud lines that say that another time than now is shown."""

from __future__ import annotations

from rich.text import Text

from appliance.tui.presentation.formats import clip, full_moment, line, short_span
from appliance.tui.presentation.view import Frame
from appliance.tui.state import Board, Past

KEYS = (
    ("< >", "change"),
    ("( )", "event"),
    ("space", "play"),
    ("{ }", "speed"),
    ("T", "time"),
    ("backspace", "now"),
)


def past_lines(board: Board, frame: Frame) -> list[Text]:
    """Return the banner and its keys, [] while now is shown."""
    past = board.past
    if past is None:
        return []
    words = clip(f" ◀◀ PAST  {_when(past)} ", frame.width)
    lines = [line((words.ljust(frame.width), "alarm"))]
    if past.is_gap:
        known = (
            f"; what stands here is of {full_moment(board.status.at)}" if board.status.at else ""
        )
        gap = f"    nothing was recorded then: the appliance did not run{known}"
        lines.append(line((clip(gap, frame.width), "bad")))
    return [*lines, _keys(frame)]


def _when(past: Past) -> str:
    ago = short_span((past.present_at - past.at).total_seconds())
    state = f"▶ playing {past.speed}x" if past.is_playing else f"‖ {past.speed}x"
    of = f" · {past.title}" if past.title else ""
    return f"{full_moment(past.at)} · {ago} ago · {state}{of}"


def _keys(frame: Frame) -> Text:
    text = line()
    for key, label in KEYS:
        piece = line((f" {key}", "key"), (f" {label} ", "muted"))
        if text.cell_len + piece.cell_len <= frame.width:
            text.append_text(piece)
    return text
