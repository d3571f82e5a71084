"""The key line at the bottom and the help page, both from the action registry."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from appliance.tui import keymap
from appliance.tui.actions import ACTIONS, MOVES, Action
from appliance.tui.presentation.formats import clip, line
from appliance.tui.presentation.marks import DRIFT, RUN, SERVICE, Mark
from appliance.tui.presentation.view import Frame, wrapped
from appliance.tui.state import Board

_WIDE = 110
_NAMES = {"esc": "escape"}
_ALWAYS = ("help", "leave")


def key_line(board: Board, frame: Frame, extra: Sequence[tuple[str, str]] = ()) -> Text:
    """Return as many keys as fit, help and quit always; what cannot run now is faint.

    `extra` are the screen's own keys and come first.
    """
    own = [_key(key, label, is_blocked=False) for key, label in extra]
    others: list[Text] = []
    always: list[Text] = []
    for known in ACTIONS:
        if known.label and (frame.width >= _WIDE or not known.is_extra):
            text = _key(known.shown_key, known.label, is_blocked=bool(known.blocked(board)))
            (always if known.id in _ALWAYS else others).append(text)
    room = frame.width - sum(text.cell_len for text in (*own, *always))
    shown = []
    for text in others:
        room -= text.cell_len
        if room < 0:
            break
        shown.append(text)
    return Text.assemble(*own, *shown, *always, no_wrap=True, end="")


def key_at(text: Text, column: int) -> str:
    """Return the key that a key line shows at a column, by Textual's name; empty where there is none.

    A key line is pairs of a key and its label, each a span of its own.
    """
    for key, label in zip(text.spans[::2], text.spans[1::2], strict=False):
        if key.start <= column < label.end:
            shown = text.plain[key.start : key.end].strip()
            return _NAMES.get(shown, keymap.textual_key(shown)) if " " not in shown else ""
    return ""


def _key(key: str, label: str, *, is_blocked: bool) -> Text:
    styles = ("faint", "faint") if is_blocked else ("key", "plain")
    return line((f" {key}", styles[0]), (f" {label}", styles[1]))


def help_page(board: Board, frame: Frame) -> list[Text]:
    """Return every key with what it does and, where it cannot run now, why."""
    lines: list[Text] = []
    for group in ("Act", "Look", "Move"):
        lines += [line((group, "title"))]
        lines += [
            row
            for known in ACTIONS
            if known.group == group
            for row in _help_rows(known, board, frame)
        ]
        if group == "Move":
            lines += [row for keys, words in MOVES for row in _pair(keys, words, frame)]
        lines.append(line())
    return [*lines, *_legend(frame), *_addresses(board, frame)]


def _help_rows(known: Action, board: Board, frame: Frame) -> list[Text]:
    reason = known.blocked(board)
    first = f"{known.title.removesuffix(' …')}: {known.help}"
    pieces = wrapped(first, frame.width - 6)
    rows = [
        line(
            (f"{known.shown_key if i == 0 else '':>4}  ", "faint" if reason else "key"),
            (piece, "muted" if reason else "plain"),
        )
        for i, piece in enumerate(pieces)
    ]
    if reason:
        rows += [
            line(("      ", ""), (piece, "warning"))
            for piece in wrapped(f"not now: {reason}", frame.width - 6)
        ]
    return rows


def _pair(keys: str, words: str, frame: Frame) -> list[Text]:
    pieces = wrapped(words, frame.width - 24)
    return [
        line((f"{keys if index == 0 else '':>22}  ", "key"), (piece, "plain"))
        for index, piece in enumerate(pieces)
    ]


def _legend(frame: Frame) -> list[Text]:
    groups: tuple[tuple[str, tuple[Mark, ...]], ...] = (
        ("service", tuple(SERVICE.values())),
        ("run", tuple(RUN.values())),
        ("drift", tuple(DRIFT.values())),
    )
    lines = [line(("Marks", "title"))]
    for name, marks in groups:
        text = line((f"{name:<9}", "muted"))
        for mark in marks:
            if text.cell_len + len(mark.word) + 4 > frame.width:
                lines.append(text)
                text = line(" " * 9)
            text.append(f"{mark.glyph} ", mark.style).append(f"{mark.word}  ", "plain")
        lines.append(text)
    words = (
        "candles: ┃ rising, ▌ falling; the bars below are the volume, the largest one is named",
        "skill: how much smaller the pinball loss is than a naive benchmark's; above 0 % beats it",
        "EWMA: quantiles scaled by recent volatility; static: the training set's quantiles",
        "coverage: share of outcomes inside the 80 % interval; 80 % is right, more is too wide",
        "PSI, KS: how far a feature moved from its reference profile",
    )
    lines += [line((piece, "muted")) for text in words for piece in wrapped(text, frame.width)]
    return [*lines, line()]


def _addresses(board: Board, frame: Frame) -> list[Text]:
    status = board.status.value
    if status is None:
        return []
    facts = (
        ("version", status.version),
        ("home", status.home),
        ("Airflow", status.airflow_url),
        ("MLflow", status.mlflow_url),
    )
    rows = [
        line((f"{name:<9}", "muted"), (clip(value, frame.width - 9), "plain"))
        for name, value in facts
        if value
    ]
    return [line(("This appliance", "title")), *rows]
