"""The plot core: lines, bands, points, limits and vertical lines on a grid of characters.

A cell has two by four dots of braille; a line's dots of several series share a cell. Whatever colour
says is said by a glyph as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from rich.text import Text

from appliance.domain.chart import Series, SeriesForm
from appliance.tui.presentation.formats import line

DOTS_ACROSS, DOTS_DOWN = 2, 4
_BITS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Bit of a braille character by dot column and dot row."""
_BRAILLE = 0x2800
BAND, LIMIT, POINT, OUTLIER, RULE, CURSOR = "░", "╌", "•", "✕", "┊", "│"
_STEPS_JOINED = 2.5
"""Values farther apart than so many steps are not joined: in between nothing is known."""
_LETTER_EVERY = 24

Cell = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Extent:
    """What the plot shows: time from left to right, values from bottom to top."""

    start_at: datetime
    end_at: datetime
    low: float
    high: float
    columns: int
    rows: int

    def across(self, at: datetime) -> float:
        """Return the dot column of an instant; outside of the plot it is below 0 or too large."""
        share = (at - self.start_at) / (self.end_at - self.start_at)
        return share * (self.columns * DOTS_ACROSS - 1)

    def column(self, at: datetime) -> int:
        """Return the column of an instant."""
        return int(self.across(at) // DOTS_ACROSS)

    def at_column(self, column: int) -> datetime:
        """Return the instant in the middle of a column."""
        share = (column * DOTS_ACROSS + 0.5) / max(self.columns * DOTS_ACROSS - 1, 1)
        return self.start_at + (self.end_at - self.start_at) * share

    def down(self, value: float) -> int:
        """Return the dot row of a value, 0 at the top, kept inside the plot."""
        last = self.rows * DOTS_DOWN - 1
        share = (self.high - value) / (self.high - self.low)
        return min(max(round(share * last), 0), last)

    def row(self, value: float) -> int:
        """Return the row of a value."""
        return self.down(value) // DOTS_DOWN


@dataclass(frozen=True, slots=True)
class Drawn:
    """A series with the letter that tells it from others, and its style."""

    series: Series
    letter: str
    style: str


@dataclass(slots=True)
class Grid:
    """Cells of a plot; dots are kept apart until the end, as several lines share a cell."""

    columns: int
    rows: int
    cells: dict[tuple[int, int], Cell] = field(default_factory=dict)
    dots: dict[tuple[int, int], tuple[int, str]] = field(default_factory=dict)

    def put(self, column: int, row: int, glyph: str, style: str) -> None:
        """Set a cell inside the grid; nothing happens outside."""
        if 0 <= column < self.columns and 0 <= row < self.rows:
            self.cells[column, row] = (glyph, style)

    def dot(self, across: int, down: int, style: str) -> None:
        """Set a dot inside the grid; nothing happens outside."""
        place = (across // DOTS_ACROSS, down // DOTS_DOWN)
        if 0 <= place[0] < self.columns and 0 <= place[1] < self.rows:
            known, _ = self.dots.get(place, (0, style))
            self.dots[place] = (known | _BITS[across % DOTS_ACROSS][down % DOTS_DOWN], style)

    def is_free(self, column: int, row: int) -> bool:
        """Whether nothing but the band is drawn in a cell."""
        glyph, _ = self.cells.get((column, row), (BAND, ""))
        return glyph in {BAND, LIMIT} and (column, row) not in self.dots

    def cell(self, column: int, row: int) -> Cell:
        """Return what a cell shows: a mark, else dots, else what lies below them."""
        below = self.cells.get((column, row), (" ", ""))
        if (column, row) in self.dots and below[0] in {BAND, LIMIT, RULE, CURSOR, " "}:
            mask, style = self.dots[column, row]
            return chr(_BRAILLE | mask), style
        return below

    def text(self, row: int) -> Text:
        """Return one row, neighbouring cells of one style in one span."""
        cells = [self.cell(column, row) for column in range(self.columns)]
        text, start = line(), 0
        for end in range(1, len(cells) + 1):
            if end == len(cells) or cells[end][1] != cells[start][1]:
                glyphs = "".join(glyph for glyph, _ in cells[start:end])
                text.append(glyphs, cells[start][1] or None)
                start = end
        return text


def plot(drawn: Sequence[Drawn], extent: Extent, step_seconds: float) -> Grid:
    """Return the series on a grid, bands below limits below lines below points."""
    grid = Grid(extent.columns, extent.rows)
    layers = list(SeriesForm)
    for each in sorted(drawn, key=lambda known: layers.index(known.series.form)):
        _DRAW[each.series.form](grid, each, extent, step_seconds)
    _letters(grid, [each for each in drawn if each.series.form is SeriesForm.LINE], extent)
    return grid


def rule(grid: Grid, column: int, glyph: str, style: str) -> None:
    """Draw a vertical line through what is free of a column."""
    for row in range(grid.rows):
        if grid.is_free(column, row):
            grid.put(column, row, glyph, style)


def _band(grid: Grid, drawn: Drawn, extent: Extent, step_seconds: float) -> None:
    series = drawn.series
    lower = dict(_columns(series.at, series.values, extent, step_seconds))
    upper = dict(_columns(series.at, series.upper, extent, step_seconds))
    for across in sorted(lower.keys() & upper.keys()):
        if across % DOTS_ACROSS and across - 1 in lower and across - 1 in upper:
            continue  # the column is filled
        bottom, top = extent.row(lower[across]), extent.row(upper[across])
        for row in range(top, bottom + 1):
            grid.put(across // DOTS_ACROSS, row, BAND, drawn.style)


def _limit(grid: Grid, drawn: Drawn, extent: Extent, step_seconds: float) -> None:
    for across, value in _columns(drawn.series.at, drawn.series.values, extent, step_seconds):
        if extent.low <= value <= extent.high:
            grid.put(across // DOTS_ACROSS, extent.row(value), LIMIT, drawn.style)


def _line(grid: Grid, drawn: Drawn, extent: Extent, step_seconds: float) -> None:
    before: tuple[int, int] | None = None
    for across, value in _columns(drawn.series.at, drawn.series.values, extent, step_seconds):
        down = extent.down(value)
        if before is None or across - before[0] > 1:
            grid.dot(across, down, drawn.style)
        else:
            for each in _between(before[1], down):
                grid.dot(across, each, drawn.style)
        before = (across, down)


def _between(before: int, after: int) -> range:
    """Return the dot rows that join two neighbouring columns without a break."""
    if before < after:
        return range(before + 1, after + 1)
    return range(after, max(before, after + 1))


def _points(grid: Grid, drawn: Drawn, extent: Extent, step_seconds: float) -> None:
    del step_seconds
    glyph = OUTLIER if drawn.series.form is SeriesForm.OUTLIERS else POINT
    for at, value in zip(drawn.series.at, drawn.series.values, strict=True):
        if value is not None and extent.start_at <= at <= extent.end_at:
            grid.put(extent.column(at), extent.row(value), glyph, drawn.style)


def _nothing(grid: Grid, drawn: Drawn, extent: Extent, step_seconds: float) -> None:
    """Draw nothing: counts are said in words."""


_DRAW = {
    SeriesForm.BAND: _band,
    SeriesForm.LIMIT: _limit,
    SeriesForm.LINE: _line,
    SeriesForm.POINTS: _points,
    SeriesForm.OUTLIERS: _points,
    SeriesForm.COUNT: _nothing,
}


def _columns(
    at: Sequence[datetime], values: Sequence[float | None], extent: Extent, step_seconds: float
) -> Iterator[tuple[int, float]]:
    """Yield (dot column, value) of every dot column, joined between values that are close in time."""
    last = extent.columns * DOTS_ACROSS - 1
    known = [
        (extent.across(instant), instant, value)
        for instant, value in zip(at, values, strict=True)
        if value is not None
    ]
    if len(known) == 1 and 0 <= known[0][0] <= last:
        yield round(known[0][0]), known[0][2]
    for (x0, t0, v0), (x1, t1, v1) in pairwise(known):
        if x1 < 0 or x0 > last:
            continue
        if (t1 - t0).total_seconds() > _STEPS_JOINED * step_seconds:
            for x, value in ((x0, v0), (x1, v1)):
                if 0 <= round(x) <= last:
                    yield round(x), value
            continue
        first, end = max(round(x0), 0), min(round(x1), last)
        for column in range(first, end + 1):
            share = (column - x0) / (x1 - x0) if x1 > x0 else 1.0
            yield column, v0 + (v1 - v0) * min(max(share, 0.0), 1.0)


def _letters(grid: Grid, lines: Sequence[Drawn], extent: Extent) -> None:
    """Write each line's letter onto it here and there, where there are several."""
    if len(lines) < 2:
        return
    for number, drawn in enumerate(lines):
        shown: dict[int, int] = {}
        for at, value in zip(drawn.series.at, drawn.series.values, strict=True):
            if value is not None and extent.start_at <= at <= extent.end_at:
                shown[extent.column(at)] = extent.row(value)
        wanted = max(shown, default=-1)
        for column in sorted(shown, reverse=True):
            if column <= wanted:
                grid.put(column, shown[column], drawn.letter, drawn.style)
                wanted = column - _LETTER_EVERY - number
