"""The plot core: axes, lines, bands, marks; pure functions of series and a window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from appliance.domain.chart import LEAST_SPAN, Chart, Series, SeriesForm
from appliance.tui.presentation.chart_window import (
    Window,
    centred,
    followed,
    moved,
    opened,
    panned,
    zoomed,
)
from appliance.tui.presentation.plot import Drawn, Extent, plot
from appliance.tui.presentation.plot_axes import time_axis, value_labels, value_scale
from appliance.tui.presentation.units import axis_label, value_words
from tests.builders import NOW

START = NOW.replace(second=0) - timedelta(hours=1)
END = NOW.replace(second=0)


def series(
    values: Sequence[float | None], form: SeriesForm = SeriesForm.LINE, name: str = "a"
) -> Series:
    step = (END - START) / max(len(values) - 1, 1)
    at = tuple(START + index * step for index in range(len(values)))
    return Series(name, "", at, tuple(values), form)


def extent(columns: int = 30, rows: int = 6, low: float = 0.0, high: float = 10.0) -> Extent:
    return Extent(START, END, low, high, columns, rows)


def picture(*drawn: Series, step: float = 360.0, **size: int) -> list[str]:
    letters = [Drawn(each, "abcdef"[n], "plain") for n, each in enumerate(drawn)]
    shown = extent(**size)
    grid = plot(letters, shown, step)
    return [grid.text(row).plain for row in range(shown.rows)]


def test_a_line_goes_from_the_lower_left_to_the_upper_right_without_a_break() -> None:
    rows = picture(series([0.0, 10.0]), step=3600.0)
    assert rows[-1][0] != " " and rows[0][-1] != " "
    assert all(any(row[column] != " " for row in rows) for column in range(30))


def test_values_that_are_unknown_for_long_are_not_joined() -> None:
    values = [5.0] * 4 + [None] * 5 + [5.0] * 3
    row = next(row for row in picture(series(values), step=60.0 * 60 / 11) if row.strip())
    assert row[14].strip() == ""
    assert row[0].strip() and row[-1].strip()


def test_a_single_value_is_a_dot() -> None:
    assert sum(len(row.strip()) for row in picture(series([5.0]))) == 1


def test_inside_and_outside_differ_by_their_glyphs() -> None:
    band = Series("band", "", (START, END), (3.0, 3.0), SeriesForm.BAND, upper=(7.0, 7.0))
    inside = series([5.0, None, None], SeriesForm.POINTS)
    outside = series([None, 9.5, None], SeriesForm.OUTLIERS)
    text = "\n".join(picture(band, inside, outside, step=3600.0))
    assert {"░", "•", "✕"} <= set(text)


def test_several_lines_carry_their_letters_a_single_one_does_not() -> None:
    two = "".join(picture(series([2.0] * 11), series([8.0] * 11, name="b")))
    assert "a" in two and "b" in two
    assert "a" not in "".join(picture(series([2.0] * 11)))


@pytest.mark.parametrize("columns", [8, 30, 180])
def test_every_row_has_exactly_its_columns(columns: int) -> None:
    rows = picture(series([math.sin(n) * 5 + 5 for n in range(400)]), columns=columns)
    assert {len(row) for row in rows} == {columns}


def test_a_limit_far_away_does_not_flatten_the_values() -> None:
    values = series([1.0, 1.2, 1.1])
    far, near = (series([limit] * 3, SeriesForm.LIMIT) for limit in (50.0, 1.5))
    assert value_scale([values, far], START, END, 10).high < 2
    assert value_scale([values, near], START, END, 10).high > 1.5


def test_a_constant_has_a_scale_and_labels() -> None:
    scale = value_scale([series([0.8, 0.8])], START, END, 8)
    assert scale.low < 0.8 < scale.high
    assert value_labels(scale, "share")


@pytest.mark.parametrize(
    ("hours", "columns"), [(1, 40), (6, 60), (24, 60), (24 * 9, 60), (24 * 400, 90)]
)
def test_time_labels_stand_apart_and_name_the_day_where_it_begins(hours: int, columns: int) -> None:
    shown = Extent(END - timedelta(hours=hours), END, 0, 1, columns, 4)
    text = time_axis(shown)
    assert len(text) == columns
    assert len(text.split()) >= 2
    assert ("-" in text) == (hours >= 24)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.7931, "share", "79.3 %"),
        (-0.0021, "share", "−0.21 %"),
        (312_400_000, "bytes", "312 MB"),
        (2048, "bytes/s", "2.05 kB/s"),
        (0.000412345, "", "0.0004123"),
        (1204.0, "", "1,204"),
        (2.1, "deviations", "2.10 deviations"),
        (160_000_000.0, "KRW", "160,000,000 KRW"),
        (None, "", "–"),
        (math.nan, "bytes", "–"),
    ],
)
def test_values_are_said_with_their_unit(value: float | None, unit: str, text: str) -> None:
    assert value_words(value, unit) == text


def test_labels_of_one_axis_share_their_size() -> None:
    assert axis_label(5e8, 5e8, "bytes", 1.5e9) == "0.5 GB"
    assert axis_label(0.002, 0.002, "share", 0.004) == "0.2 %"
    assert axis_label(0.0004, 0.0001, "", 0.0005) == "0.0004"


FIRST = END - timedelta(days=2)
CHART = Chart("x", START, END, 60, first_at=FIRST, last_at=END)


def test_a_young_chart_opens_without_its_empty_hours() -> None:
    young = Chart("x", START, END, 60, first_at=END - timedelta(minutes=20), last_at=END)
    assert opened(young).span == timedelta(minutes=20)
    newborn = Chart("x", START, END, 60, first_at=END, last_at=END)
    assert opened(newborn).span == LEAST_SPAN


def test_a_pan_never_leaves_what_there_is_to_see() -> None:
    window = opened(CHART)
    assert panned(window, CHART, 5.0) == window
    earliest = panned(window, CHART, -500.0)
    assert earliest.start_at == FIRST
    assert earliest.span == window.span
    assert not earliest.is_newest


def test_a_zoom_keeps_the_cursor_and_stops_at_both_ends() -> None:
    window = centred(opened(CHART), CHART, START + timedelta(minutes=30))
    closer = zoomed(window, CHART, is_closer=True)
    assert closer.span == window.span / 2
    assert closer.cursor_at == window.cursor_at
    for _ in range(12):
        closer = zoomed(closer, CHART, is_closer=True)
    assert closer.span == LEAST_SPAN
    wide = window
    for _ in range(12):
        wide = zoomed(wide, CHART, is_closer=False)
    assert wide.span <= timedelta(days=2) * 1.06


def test_the_cursor_moves_the_window_at_its_edge() -> None:
    window = opened(CHART)
    back = window
    for _ in range(70):
        back = moved(back, CHART, 60, -1)
    assert back.start_at < window.start_at
    assert back.start_at <= back.cursor_at <= back.end_at


def test_a_window_at_the_newest_end_follows_it_and_another_stands_still() -> None:
    newer = Chart("x", START, END, 60, first_at=FIRST, last_at=END + timedelta(minutes=3))
    window = opened(CHART)
    assert followed(window, newer).end_at == newer.last_at
    assert followed(window, newer).cursor_at == newer.last_at
    still = panned(window, CHART, -1.0)
    assert followed(still, newer) == still


def test_a_window_of_no_columns_can_be_drawn() -> None:
    assert isinstance(Window(START, END, END).span, timedelta)
    assert isinstance(extent(columns=1).at_column(0), datetime)
