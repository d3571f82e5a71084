"""The charts page: the list of charts, the chart, its lines, and the cursor's values in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from rich.text import Text

from appliance.domain.chart import Chart, ChartInfo, Marker, Series, SeriesForm
from appliance.domain.event import Event
from appliance.tui.action_keys import key_of
from appliance.tui.presentation import event_marks
from appliance.tui.presentation.chart_window import Step, Window, centred, moved, panned, zoomed
from appliance.tui.presentation.formats import clip, line, moment, percent, rough_span, zone_name
from appliance.tui.presentation.plot import CURSOR, RULE, Drawn, Extent, Grid, plot, rule
from appliance.tui.presentation.plot_axes import time_axis, value_labels, value_scale
from appliance.tui.presentation.units import value_words
from appliance.tui.presentation.view import (
    Frame,
    PanelView,
    Row,
    absent,
    empty,
    note,
    old_note,
    title,
    wrapped,
)
from appliance.tui.state import Reading

_AXIS = 5
_ROOMY = 54
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_STYLES = ("chart.1", "chart.2", "chart.3", "chart.4", "chart.5", "chart.6")
_BY_FORM = {
    SeriesForm.BAND: "chart.band",
    SeriesForm.LIMIT: "warning",
    SeriesForm.POINTS: "good",
    SeriesForm.OUTLIERS: "bad",
    SeriesForm.COUNT: "muted",
}
_GLYPHS = {
    SeriesForm.BAND: "░",
    SeriesForm.LIMIT: "╌",
    SeriesForm.POINTS: "•",
    SeriesForm.OUTLIERS: "✕",
}


@dataclass(frozen=True, slots=True)
class HistoryState:
    """What the page knows; `shown` holds what the operator has switched on and off, by series."""

    project: str = ""
    infos: Reading[tuple[ChartInfo, ...]] = field(default_factory=Reading)
    key: str = ""
    chart: Reading[Chart] = field(default_factory=Reading)
    window: Window | None = None
    shown: Mapping[str, bool] = field(default_factory=dict)

    @property
    def info(self) -> ChartInfo | None:
        """The chosen chart."""
        return next((info for info in self.infos.value or () if info.key == self.key), None)


def is_shown(state: HistoryState, series: Series) -> bool:
    """Whether a series is drawn."""
    return state.shown.get(series.name, series.is_shown)


def drawn_series(state: HistoryState) -> list[Drawn]:
    """Return the series that are drawn, each with the letter and style it keeps while others come and go."""
    chart = state.chart.value
    lettered = _lettered(chart.series if chart else ())
    return [drawn for drawn in lettered if is_shown(state, drawn.series)]


def _lettered(series: Sequence[Series]) -> list[Drawn]:
    found, number = [], 0
    for each in series:
        if each.form is SeriesForm.LINE:
            letter, style = _LETTERS[number % 26], _STYLES[number % len(_STYLES)]
            number += 1
        else:
            letter, style = _GLYPHS.get(each.form, " "), _BY_FORM[each.form]
        found.append(Drawn(each, letter, style))
    return found


def charts(state: HistoryState, frame: Frame) -> PanelView:
    """Return the list of charts, by group."""
    name = "Charts"
    if state.infos.value is None:
        return absent(name, frame, state.infos, "charts")
    rows: list[Row] = []
    keys: list[str] = []
    group = ""
    for info in state.infos.value:
        if info.group != group:
            group = info.group
            rows.append(Row("", line((group, "heading"))))
        mark, style = ("▸", "strong") if info.key == state.key else (" ", "plain")
        number = str(len(keys) + 1) if len(keys) < 9 else " "
        keys.append(info.key)
        text = clip(f"{mark} {info.title}", frame.width - 2)
        rows.append(Row(info.key, line((f"{number} ", "key"), (text, style))))
    return PanelView(title(name, frame), tuple(rows), is_stale=state.infos.failure is not None)


def lines(state: HistoryState, frame: Frame) -> PanelView:
    """Return the chart's series: glyph or letter, whether it is shown, its name."""
    name = "Lines"
    chart = state.chart.value
    if chart is None:
        return PanelView(title(name, frame), ())
    rows = [
        _line_row(state, drawn, frame)
        for drawn in _lettered(chart.series)
        if drawn.series.form is not SeriesForm.COUNT
    ]
    return PanelView(
        title(name, frame), tuple(rows), footnote=note("space: show, hide", frame.width)
    )


def _line_row(state: HistoryState, drawn: Drawn, frame: Frame) -> Row:
    series = drawn.series
    is_on = is_shown(state, series)
    text = line(
        ("■ " if is_on else "□ ", "plain" if is_on else "faint"),
        (f"{drawn.letter} ", drawn.style if is_on else "faint"),
        (clip(series.name, frame.width - 4), "plain" if is_on else "muted"),
    )
    return Row(series.name, text)


def present(state: HistoryState, frame: Frame) -> PanelView:
    """Return the chart, or the words for why there is none."""
    info, chart = state.info, state.chart.value
    name = info.title if info else "Chart"
    if chart is None:
        return absent(name, frame, state.chart, "the chart")
    if state.window is None or not any(series.at for series in chart.series):
        words = f"{info.about}: nothing is stored yet" if info else "nothing is stored yet"
        return empty(
            name, frame, words, f"it fills while the workflows run; {key_of('run')} runs one"
        )
    drawn = drawn_series(state)
    extent, labels = _extent(drawn, state.window, frame)
    if extent.columns < 8 or extent.rows < 2:
        return empty(name, frame, "no room for a chart", "make the terminal larger, or z zooms")
    step = float(chart.step_seconds)
    grid = plot(drawn, extent, step)
    marks = _marks(grid, chart, extent)
    column = extent.column(state.window.cursor_at)
    rule(grid, column, CURSOR, "accent")
    rows = [
        _marks_row(marks, column, extent),
        *(grid.text(row).append(*_label(labels.get(row, ""))) for row in range(extent.rows)),
        line((time_axis(extent), "candle.axis"), (f" {zone_name(extent.end_at)}", "faint")),
    ]
    return PanelView(
        _title(state, name, chart, frame),
        tuple(Row("", text) for text in rows),
        footnote=note(event_marks.legend(marks.values()), frame.width),
        is_stale=bool(old_note(state.chart, frame.now)),
    )


def _label(text: str) -> tuple[str, str]:
    return f" {text}" if text else "", "candle.axis"


def _extent(drawn: Sequence[Drawn], window: Window, frame: Frame) -> tuple[Extent, dict[int, str]]:
    """Return what the plot shows, with the labels of its value axis."""
    rows = frame.height - 2
    visible = [each.series for each in drawn]
    scale = value_scale(visible, window.start_at, window.end_at, max(rows, 1))
    unit = next((s.unit for s in visible if s.form is not SeriesForm.COUNT), "")
    labels = value_labels(scale, unit)
    axis = max((len(label) for label in labels.values()), default=0) + 1
    extent = Extent(
        window.start_at, window.end_at, scale.low, scale.high, frame.width - max(axis, _AXIS), rows
    )
    return extent, {
        extent.row(_value_at(scale.low, scale.high, r, rows)): t for r, t in labels.items()
    }


def _value_at(low: float, high: float, row: int, rows: int) -> float:
    return high - (high - low) * (row + 0.5) / rows


def _marks(grid: Grid, chart: Chart, extent: Extent) -> dict[int, list[Event]]:
    """Return the events by column, with a line through the plot for those that change production."""
    found: dict[int, list[Event]] = {}
    for marker in chart.markers:
        if extent.start_at <= marker.at <= extent.end_at:
            column, event = extent.column(marker.at), marker.event
            found.setdefault(column, []).append(event)
            if event_marks.changes_production(event):
                rule(grid, column, RULE, event_marks.mark(event).style)
    return found


def _marks_row(marks: Mapping[int, Sequence[Event]], cursor: int, extent: Extent) -> Text:
    text = line()
    for column in range(extent.columns):
        events = marks.get(column, ())
        if len(events) > 1:
            text.append(str(min(len(events), 9)), "accent")
        elif events:
            mark = event_marks.mark(events[0])
            text.append(mark.glyph, mark.style)
        else:
            text.append("▾" if column == cursor else " ", "accent")
    return text


def _title(state: HistoryState, name: str, chart: Chart, frame: Frame) -> Text:
    window = state.window
    span = rough_span(window.span.total_seconds()) if window else ""
    return title(
        name,
        frame,
        (span, "muted"),
        (share_words(state, chart, is_short=frame.width < _ROOMY), "plain"),
        (old_note(state.chart, frame.now), "warning"),
    )


def share_words(state: HistoryState, chart: Chart, *, is_short: bool = False) -> str:
    """Return the visible share against its target, such as `79.3 % of 1,204 outcomes inside, target 80 %`."""
    share, window = chart.share, state.window
    if share is None or window is None:
        return ""
    sums = {
        series.name: sum(
            value
            for at, value in zip(series.at, series.values, strict=True)
            if value is not None and window.start_at <= at <= window.end_at
        )
        for series in chart.series
        if series.form is SeriesForm.COUNT
    }
    whole, part = sums.get(share.whole, 0.0), sums.get(share.part, 0.0)
    if not whole:
        return f"no {share.whole} here"
    of = "" if is_short else f" of {whole:,.0f} {share.whole}"
    return f"{percent(part / whole)}{of} {share.part}, target {percent(share.target, 0)}"


def events_at(state: HistoryState, columns: int) -> list[Event]:
    """Return the markers in the cursor's column."""
    chart, window = state.chart.value, state.window
    if chart is None or window is None:
        return []
    width = window.span / max(columns, 1)
    return [m.event for m in chart.markers if abs(m.at - window.cursor_at) <= width]


def next_marker(state: HistoryState, direction: int) -> Marker | None:
    """Return the marker after (1) or before (-1) the cursor."""
    chart, window = state.chart.value, state.window
    if chart is None or window is None:
        return None
    if direction > 0:
        return next((m for m in chart.markers if m.at > window.cursor_at), None)
    return next((m for m in reversed(chart.markers) if m.at < window.cursor_at), None)


def words(state: HistoryState, columns: int, frame: Frame) -> PanelView:
    """Return the values at the cursor, and the events there."""
    window, chart = state.window, state.chart.value
    if window is None or chart is None:
        about = state.info.about if state.info else ""
        return PanelView(title("Values", frame), tuple(_rows(about, frame, "muted")))
    rows = []
    values = [_value(drawn.series, window, chart) for drawn in drawn_series(state)]
    said = " · ".join(text for text in values if text) or "no value here"
    rows += _rows(said, frame, "plain")
    for event in events_at(state, columns):
        mark = event_marks.mark(event)
        words = f"{mark.glyph} {mark.word} {moment(event.at, frame.now)}: {event.summary}  enter opens it"
        rows += _rows(words, frame, mark.style)
    if state.info:
        rows += _rows(f"{state.info.about}; a value per {_step(chart)}", frame, "faint")
    at = window.cursor_at
    head = title("Values", frame, (f"{moment(at, frame.now)} {zone_name(at)}", "accent"))
    return PanelView(head, tuple(rows))


def _step(chart: Chart) -> str:
    return rough_span(chart.step_seconds)


def _rows(text: str, frame: Frame, style: str) -> list[Row]:
    return [Row("", line((piece, style))) for piece in wrapped(text, frame.width)]


def _value(series: Series, window: Window, chart: Chart) -> str:
    """Return a series' name with its value nearest to the cursor, "" where there is none close by."""
    reach = max(timedelta(seconds=chart.step_seconds), window.span / 100)
    near = [
        (abs(at - window.cursor_at), index)
        for index, at in enumerate(series.at)
        if abs(at - window.cursor_at) <= reach and series.values[index] is not None
    ]
    if not near:
        return ""
    index = min(near)[1]
    value = value_words(series.values[index], series.unit)
    if series.upper:
        value = f"{value} … {value_words(series.upper[index], series.unit)}"
    return f"{series.name} {value}"


def columns(state: HistoryState, frame: Frame) -> int:
    """Return how many columns of a frame the plot takes."""
    if state.window is None:
        return max(frame.width - _AXIS, 1)
    return max(_extent(drawn_series(state), state.window, frame)[0].columns, 1)


def stepped(state: HistoryState, window: Window, columns: int, step: Step, amount: float) -> Window:
    """Return the window after a step of the operator's."""
    chart = state.chart.value
    if chart is None:
        return window
    if step is Step.CURSOR:
        return moved(window, chart, columns, int(amount))
    if step is Step.PLACE:
        share = min(amount / max(columns - 1, 1), 1.0)
        return replace(window, cursor_at=window.start_at + window.span * share)
    if step is Step.PAN:
        return panned(window, chart, amount)
    if step is Step.ZOOM:
        return zoomed(window, chart, is_closer=amount > 0)
    if step is Step.EVENT:
        marker = next_marker(state, int(amount))
        return window if marker is None else centred(window, chart, marker.at)
    end = chart.last_at if amount > 0 else chart.first_at
    return window if end is None else centred(window, chart, end)
