"""What a panel shows: title, optional column heading, rows; and the words of its empty states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias, TypeVar

from rich.cells import cell_len
from rich.text import Text

from appliance import zone
from appliance.tui.presentation.formats import age, clip, line
from appliance.tui.state import Board, Failure, Reading

T = TypeVar("T")


SortValue: TypeAlias = "str | float | datetime | None"
"""What rows are sorted by: of one kind within a column, None where nothing is known."""


class Row:
    """One line; `key` names what it stands for, empty when it cannot be chosen.

    `text` may be a function that makes it: of a long list, only the lines that are seen are made. `search`
    is what the filter finds besides key and text, `sort` a value for each of the view's `columns`.
    """

    __slots__ = ("_text", "key", "search", "sort")

    def __init__(
        self,
        key: str,
        text: Text | Callable[[], Text],
        search: str = "",
        sort: tuple[SortValue, ...] = (),
    ) -> None:
        self.key = key
        self.search = search
        self.sort = sort
        self._text = text

    @property
    def text(self) -> Text:
        """The line; made once."""
        if not isinstance(self._text, Text):
            self._text = self._text()
        return self._text

    def with_text(self, text: Text | Callable[[], Text]) -> Row:
        """Return the same row with another line."""
        return Row(self.key, text, self.search, self.sort)


@dataclass(frozen=True, slots=True)
class PanelView:
    """A panel's content for one size and instant; `is_stale` dims it.

    `columns` names what rows can be sorted by. Rows with keys can be filtered, with `is_text`
    also those without, `is_fixed` none: they are chosen where they come from.
    """

    title: Text
    rows: tuple[Row, ...]
    heading: Text | None = None
    footnote: Text = field(default_factory=Text)
    is_stale: bool = False
    columns: tuple[str, ...] = ()
    is_text: bool = False
    is_fixed: bool = False

    @property
    def is_list(self) -> bool:
        """Whether the rows can be filtered: not words in their place, nor a drawing."""
        return not self.is_fixed and (self.is_text or any(row.key for row in self.rows))


@dataclass(frozen=True, slots=True)
class Frame:
    """The room and the instant a view is made for; widths and heights in cells."""

    width: int
    height: int
    now: datetime


def title(name: str, frame: Frame, *details: tuple[str, str]) -> Text:
    """Return a panel's title with those of the (text, style) details that fit, in their order."""
    text, gap = line((name, "title")), "  " if frame.width >= 44 else " "
    for detail, style in details:
        if detail and text.cell_len + len(gap) + cell_len(detail) <= frame.width:
            text.append(gap).append_text(line((detail, style)))
    return text


def words(name: str, frame: Frame, *paragraphs: tuple[str, str]) -> PanelView:
    """Return a view that only says something, wrapped to the panel's width."""
    rows = [
        Row("", line((piece, style)))
        for text, style in paragraphs
        for piece in wrapped(text, frame.width)
    ]
    return PanelView(title(name, frame), tuple(rows))


def wrapped(text: str, width: int) -> list[str]:
    """Return `text` broken between words into lines of at most `width` cells."""
    lines, current = [], ""
    for word in zone.in_zone(text).split():
        piece = word
        while piece:
            joined = f"{current} {piece}".strip()
            if len(joined) <= width:
                current, piece = joined, ""
            elif current:
                lines.append(current)
                current = ""
            else:
                lines.append(piece[: max(width, 1)])
                piece = piece[max(width, 1) :]
    return [*lines, current] if current else lines


def loading(name: str, frame: Frame, what: str) -> PanelView:
    """Return the view of a panel whose first answer is awaited."""
    return words(name, frame, (f"◌ loading {what} …", "muted"))


def empty(name: str, frame: Frame, what: str, next_step: str) -> PanelView:
    """Return the view of a panel with nothing to show yet."""
    return words(name, frame, (f"○ {what}", "plain"), (next_step, "muted"))


def failed(name: str, frame: Frame, failure: Failure) -> PanelView:
    """Return the view of a panel that never had a value and cannot get one."""
    hint = (f"→ {failure.hint}",) if failure.hint else ()
    return words(name, frame, (f"✖ {failure.message}", "bad"), *((text, "muted") for text in hint))


def absent(name: str, frame: Frame, reading: Reading[T], what: str) -> PanelView:
    """Return the loading or the failed view of a reading without a value."""
    if reading.failure is not None:
        return failed(name, frame, reading.failure)
    return loading(name, frame, what)


def old_note(reading: Reading[T], now: datetime) -> str:
    """Return the words for a value that a failure keeps old; empty when it is fresh."""
    if reading.failure is None or reading.at is None:
        return ""
    return f"old: {age(reading.at, now)}"


def stale_note(board: Board, part: str, now: datetime) -> str:
    """Return how old one of the snapshot's parts is, or why it was never read; empty when fresh."""
    reason, read_at = board.stale_reason(part), board.read_at(part)
    return f"as of {age(read_at, now)}" if reason and read_at is not None else reason


def note(text: str, width: int) -> Text:
    """Return a muted footnote of at most `width` cells."""
    return line((clip(text, width), "muted"))
