"""What the operator does to a list: filter it, sort it, select rows. The same in every panel."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from rich.text import Text

from appliance.tui.presentation.filters import parse_filter
from appliance.tui.presentation.formats import clip, line
from appliance.tui.presentation.view import Frame, PanelView, Row, wrapped

SELECTED, UNSELECTED = "✔ ", "  "
UNSORTED = -1


@dataclass(frozen=True, slots=True)
class Arrangement:
    """How one panel's rows are shown: filter text, sort column (`UNSORTED`: as they come), selection."""

    needle: str = ""
    column: int = UNSORTED
    is_flipped: bool = False
    selected: frozenset[str] = frozenset()

    def next_column(self, columns: int) -> Arrangement:
        """Return the arrangement by the next column; after the last one rows are as they come."""
        column = self.column + 1
        return replace(self, column=column if column < columns else UNSORTED, is_flipped=False)

    def toggled(self, key: str) -> Arrangement:
        """Return the arrangement with the row `key` selected, or not any more."""
        return replace(self, selected=self.selected ^ {key})


def room_for(how: Arrangement, frame: Frame) -> Frame:
    """Return the frame that is left for rows beside the selection's marks."""
    if not how.selected:
        return frame
    return replace(frame, width=max(frame.width - len(SELECTED), 1))


def arrange(view: PanelView, how: Arrangement, frame: Frame) -> PanelView:
    """Return `view` filtered, sorted and marked; its title says what was done and how many are left."""
    if not view.is_list:
        return view
    rows, details = view.rows, list[tuple[str, str]]()
    if how.needle.strip():
        rows, total = _filtered(view, how.needle)
        details.append((f"/{how.needle.strip()} {len(rows)}/{total}", "accent"))
        rows = rows or _nothing(how.needle, frame)
    if how.column < len(view.columns) and how.column != UNSORTED:
        rows = _sorted(rows, how)
        details.append((f"{_arrow(rows, how)} {view.columns[how.column]}", "accent"))
    heading = view.heading
    if how.selected:
        rows, heading = (
            _marked(rows, how.selected),
            heading and line(UNSELECTED).append_text(heading),
        )
        details.append((f"{len(how.selected)} selected", "accent"))
    return replace(
        view, rows=rows, heading=heading, title=_titled(view.title, details, frame.width)
    )


def _filtered(view: PanelView, needle: str) -> tuple[tuple[Row, ...], int]:
    """Return the rows that stay and how many there were; lines between rows with keys are left out."""
    candidates = [row for row in view.rows if row.key] or view.rows
    keeps = parse_filter(needle).keeps
    rows = tuple(row for row in candidates if keeps(row.text.plain, row.key, row.search))
    return rows, len(candidates)


def _nothing(needle: str, frame: Frame) -> tuple[Row, ...]:
    words = f"○ nothing matches “{needle.strip()}”; esc clears the filter"
    return tuple(Row("", line((piece, "muted"))) for piece in wrapped(words, frame.width))


def _sorted(rows: tuple[Row, ...], how: Arrangement) -> tuple[Row, ...]:
    """Return rows by the column: text from A, numbers and instants from the largest; unknown last."""
    known = [row for row in rows if _value(row, how.column) is not None]
    unknown = [row for row in rows if _value(row, how.column) is None]
    known.sort(key=lambda row: _value(row, how.column), reverse=_is_descending(rows, how))
    return (*known, *unknown)


def _value(row: Row, column: int) -> Any:
    """Return what a row is sorted by; NaN, which has no place in an order, is unknown."""
    value = row.sort[column] if column < len(row.sort) else None
    return None if isinstance(value, float) and math.isnan(value) else value


def _is_descending(rows: tuple[Row, ...], how: Arrangement) -> bool:
    values = (_value(row, how.column) for row in rows)
    first = next((value for value in values if value is not None), "")
    return isinstance(first, str) is how.is_flipped


def _arrow(rows: tuple[Row, ...], how: Arrangement) -> str:
    return "▼" if _is_descending(rows, how) else "▲"


def _marked(rows: tuple[Row, ...], selected: frozenset[str]) -> tuple[Row, ...]:
    return tuple(row.with_text(partial(_with_mark, row, row.key in selected)) for row in rows)


def _with_mark(row: Row, is_selected: bool) -> Text:
    return line((SELECTED if is_selected else UNSELECTED, "accent")).append_text(row.text)


def _titled(title: Text, details: list[tuple[str, str]], width: int) -> Text:
    """Return the title with the details behind it; its own details give way to them."""
    if not details:
        return title
    added = line(*((f"  {text}", style) for text, style in details))
    if added.cell_len >= width:
        return line((clip(added.plain.strip(), width), "accent"))
    text = title.copy()
    text.truncate(width - added.cell_len, overflow="ellipsis")
    return text.append_text(added)
