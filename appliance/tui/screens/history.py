"""Charts over time: forecasts and outcomes, losses, drift, with what happened as markers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from appliance.tui.messages import ChartRead, ChartsRead
from appliance.tui.presentation import chart_window, events, history
from appliance.tui.presentation.formats import line
from appliance.tui.presentation.history import HistoryState
from appliance.tui.presentation.view import Frame, PanelView
from appliance.tui.screens.modals import ReadModal
from appliance.tui.screens.page import Page
from appliance.tui.state import Board, Failure, Reading
from appliance.tui.widgets.chart import ChartPanel, LinesPanel
from appliance.tui.widgets.panel import Panel

READ_SECONDS = 5.0
_POINTS_A_COLUMN = 4
"""Two dots a column, and as many columns again on both sides of the window together."""
_MOST_POINTS = 2000


class HistoryPage(Page):
    """The list of charts, the chosen one, its lines, and the values at its cursor.

    Args:
        key: the chart to begin with; the first one where there is none of this key.
    """

    AUTO_FOCUS = "#chart"
    CRUMB = "charts"
    IS_OF_PROJECT = True
    OWN_KEYS: ClassVar[Sequence[tuple[str, str]]] = (
        ("esc", "Back"),
        ("←→", "Cursor"),
        ("⇧←→", "Pan"),
        ("+-", "Zoom"),
        ("↑↓", "Event"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(str(digit), f"number({digit})", "Chart", show=False) for digit in range(1, 10)
    ]

    def __init__(self, key: str = "") -> None:
        super().__init__()
        self.state = HistoryState(key=key)
        self._view: tuple[tuple[int, int], HistoryState, PanelView] | None = None
        self._awaited: tuple[object, ...] | None = None
        self._is_listing = False

    def compose_body(self) -> ComposeResult:
        """Place the lists beside the chart and its values."""
        with Horizontal(id="body"):
            with Vertical(id="choices"):
                yield Panel(id="charts")
                yield LinesPanel(id="lines")
            with Vertical(id="plot"):
                yield ChartPanel(id="chart")
                yield Panel(id="values")

    def on_mount(self) -> None:
        """Read now and then every few seconds."""
        super().on_mount()
        self.read()
        self.set_interval(READ_SECONDS, self.read)

    def show_board(self, board: Board, now: datetime) -> None:
        """Show the four panels."""
        super().show_board(board, now)
        state = self.state
        self.panel("charts").show(partial(history.charts, state), now)
        self.panel("lines").show(partial(history.lines, state), now)
        chart = self.panel("chart")
        chart.show(self._present, now)
        columns = history.columns(state, chart.frame(now))
        self.panel("values").show(partial(history.words, state, columns), now)

    def _present(self, frame: Frame) -> PanelView:
        """Return the chart, drawn anew only when it has changed: the page is shown four times a second."""
        size, state = (frame.width, frame.height), self.state
        if (
            self._view is None
            or self._view[0] != size
            or self._view[1] is not state
            or state.chart.failure
        ):
            self._view = (size, state, history.present(state, frame))
        return self._view[2]

    # -- reading

    def forget(self) -> None:
        """Forget what was read; the chart stays chosen."""
        self.state = HistoryState(key=self.state.key)
        self._awaited = None
        self._is_listing = False

    def read(self) -> None:
        """Ask for the list and for the chart, unless answers are awaited or nobody looks."""
        project = self.appliance.board.project
        if project is None or not self.is_current:
            return
        if project.name != self.state.project:
            self.state = HistoryState(project=project.name, key=self.state.key)
            self._awaited = None
        name, control = project.name, self.appliance.control
        if self.state.infos.value is None and not self._is_listing:
            self._is_listing = True
            self.ask(lambda: control.charts(name), partial(ChartsRead, name))
        elif self.state.info is not None and self._awaited is None:
            self._read_chart()

    def _read_chart(self) -> None:
        """Ask for the part of the chart that is shown."""
        state, control = self.state, self.appliance.control
        key, window = state.key, state.window
        start_at, end_at = chart_window.asked(window) if window else (None, None)
        room = history.columns(state, self.panel("chart").frame(self.appliance.now))
        points = max(min(_POINTS_A_COLUMN * room, _MOST_POINTS), 16)
        if window is None:
            points = max(points // 2, 16)
        self._awaited = (state.project, key, start_at, end_at)
        call = partial(control.chart, state.project, key, points, start_at, end_at)
        self.ask(call, partial(ChartRead, self._awaited))

    @on(ChartsRead)
    def _show_list(self, message: ChartsRead) -> None:
        if self.is_late(message):
            return
        self._is_listing = False
        if message.project != self.state.project:
            return
        infos, found = self.state.infos, message.charts
        if isinstance(found, Failure):
            self.state = replace(
                self.state, infos=infos.failed(found), chart=self.state.chart.failed(found)
            )
        else:
            keys = [info.key for info in found]
            key = self.state.key if self.state.key in keys else keys[0] if keys else ""
            known = infos.good(tuple(found), self.appliance.now)
            self.state = replace(self.state, infos=known, key=key, chart=Reading())
            self.read()
        self.show_again()

    @on(ChartRead)
    def _show_chart(self, message: ChartRead) -> None:
        if self.is_late(message) or message.asked != self._awaited:
            return
        self._awaited = None
        state, found = self.state, message.chart
        if isinstance(found, Failure):
            self.state = replace(state, chart=state.chart.failed(found))
        else:
            window = state.window or chart_window.opened(found)
            asked_for = chart_window.asked(window)
            chart = state.chart.good(found, self.appliance.now)
            self.state = replace(state, chart=chart, window=chart_window.followed(window, found))
            if state.window is not None and asked_for != message.asked[2:]:
                self._read_chart()
        self.show_again()

    # -- moving

    def choose(self, key: str) -> None:
        """Show another chart."""
        if key in ("", self.state.key):
            return
        self.state = replace(self.state, key=key, chart=Reading(), window=None, shown={})
        self._awaited = None
        self.show_again()
        self.read()

    @on(Panel.Moved, "#charts")
    def _choose_moved(self, moved: Panel.Moved) -> None:
        self.choose(moved.key)

    @on(Panel.Chosen, "#charts")
    def _focus_chart(self, chosen: Panel.Chosen) -> None:
        self.choose(chosen.key)
        self.panel("chart").focus()

    @on(Panel.Chosen, "#lines")
    def _switch_line(self, chosen: Panel.Chosen) -> None:
        chart = self.state.chart.value
        series = next((s for s in (chart.series if chart else ()) if s.name == chosen.key), None)
        if series is not None:
            switched = {series.name: not history.is_shown(self.state, series)}
            self.state = replace(self.state, shown={**self.state.shown, **switched})
            self.show_again()

    @on(ChartPanel.Stepped)
    def _step(self, stepped: ChartPanel.Stepped) -> None:
        state, chart = self.state, self.state.chart.value
        if chart is None or state.window is None:
            return
        columns = history.columns(state, stepped.panel.frame(self.appliance.now))
        window = history.stepped(state, state.window, columns, stepped.step, stepped.amount)
        if window == state.window:
            return
        is_new_span = chart_window.asked(window) != chart_window.asked(state.window)
        self.state = replace(state, window=window)
        self.show_again()
        if is_new_span and self._awaited is None:
            self._read_chart()

    @on(Panel.Chosen, "#chart")
    def _open_events(self) -> None:
        columns = history.columns(self.state, self.panel("chart").frame(self.appliance.now))
        found = history.events_at(self.state, columns)
        if not found:
            self.notify("no event at the cursor; ↑ ↓ go to the one before and the next")
            return

        def describe(frame: Frame) -> list[Text]:
            pages = [events.describe(event, frame) for event in found]
            return [text for page in pages for text in (*page, line())][:-1]

        self.app.push_screen(ReadModal("Event" if len(found) == 1 else "Events", describe))

    def action_number(self, digit: int) -> None:
        """Choose a chart by its place in the list."""
        infos = self.state.infos.value or ()
        if digit <= len(infos):
            self.choose(infos[digit - 1].key)
