"""Logs of services and tasks: any length, follow, filter, levels, next and previous match."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from appliance.control.api import Control
from appliance.domain.log import NEWEST, LogLevel, LogLine, LogQuery
from appliance.domain.text_filter import parse_filter
from appliance.tui.background import ask
from appliance.tui.log_sources import (
    LINES_READ,
    LogSource,
    Place,
    ServiceLog,
    read_around,
    read_place,
    resolved,
)
from appliance.tui.messages import LogRead, PlaceRead
from appliance.tui.presentation import services
from appliance.tui.presentation.logs import (
    CONTEXT_LINES,
    LEVEL_WORDS,
    LogState,
    joined,
    present,
    shortened,
)
from appliance.tui.presentation.view import Frame
from appliance.tui.screens.page import Page
from appliance.tui.state import Board, Failure
from appliance.tui.widgets.bars import Lines
from appliance.tui.widgets.log_panel import LogPanel
from appliance.tui.widgets.panel import Panel

READ_SECONDS = 1.0

Words = Callable[[Frame], Sequence[Text]]


class LogsPage(Page):
    """One log; beside a service's log stands the list of services.

    `place` is where to begin instead of the end, `words` say above the log why it is shown.
    """

    AUTO_FOCUS = "#log"
    OWN_KEYS: ClassVar[Sequence[tuple[str, str]]] = (
        ("esc", "Back"),
        ("/", "Filter"),
        ("n N", "Next, previous"),
        ("L", "Level"),
        ("f", "Follow"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "follow", "Follow", show=False),
        Binding("n", "find(1)", "Next match", show=False),
        Binding("N", "find(-1)", "Previous match", show=False),
        Binding("L", "level", "Level", show=False),
    ]

    def __init__(
        self, source: LogSource, place: Place | None = None, words: Words | None = None
    ) -> None:
        super().__init__()
        self.source = source
        self.state = LogState(source.title, is_following=place is None)
        self._shown: LogState | None = None
        self._place = place
        self._words = words
        self._searched = ""
        self._turn = 0
        self._next: Callable[[], None] | None = None

    @property
    def crumb(self) -> str:
        """The page and whose log it is."""
        return f"log › {self.source.title}"

    def compose_body(self) -> ComposeResult:
        """Place the log, and the services beside a service's log."""
        with Horizontal(id="body"):
            if isinstance(self.source, ServiceLog):
                yield Panel(id="sources")
            with Vertical():
                yield Lines(id="about", max_lines=6)
                yield LogPanel(id="log")

    def on_mount(self) -> None:
        """Read now and then every second."""
        super().on_mount()
        self._open()
        self.set_interval(READ_SECONDS, self._follow)

    @property
    def log_panel(self) -> LogPanel:
        """The panel with the lines."""
        return self.query_one("#log", LogPanel)

    def show_board(self, board: Board, now: datetime) -> None:
        """Show the log and, beside it, the services."""
        if isinstance(self.source, ServiceLog):
            self.panel("sources").show(partial(services.names, board, self.source.name), now)
        if self._words is not None:
            self.query_one("#about", Lines).show(self._words, now)
        elif isinstance(self.source, ServiceLog):
            about = partial(services.about, board, self.source.name)
            self.query_one("#about", Lines).show(about, now)
        if self.state is not self._shown:
            self._shown = self.state
            self.log_panel.show(partial(present, self.state), now)
            if self.state.is_following:
                self.log_panel.to_end()
        super().show_board(board, now)

    def filtered_panel(self) -> Panel:
        """The filter narrows the log."""
        return self.log_panel

    def narrow(self, panel: Panel, needle: str) -> None:
        """Keep the log's lines that match, wherever in the file they are."""
        panel.how = replace(panel.how, needle=needle)
        if needle != self.state.needle:
            self._searched = needle or self._searched
            self._choose(replace(self.state, needle=needle))

    # -- keys

    def action_follow(self) -> None:
        """Stay at the log's end, or hold still."""
        self.state = replace(self.state, is_following=not self.state.is_following)
        if self.state.is_following and not self.state.is_at_end:
            self._open()
        self.show_again()

    def action_level(self) -> None:
        """Show louder lines only, or all again."""
        steps = list(LEVEL_WORDS)
        level = steps[(steps.index(self.state.level) + 1) % len(steps)]
        self._choose(replace(self.state, level=level))

    def action_find(self, step: int) -> None:
        """Go to the next or previous line that matches; without a filter to the next warning or error."""
        self.state = replace(self.state, is_following=False, note="")
        known = [line for line in self.state.lines[::step] if self._is_match(line)]
        at = self.log_panel.position
        found = next((line for line in known if (line.at - at) * step > 0), None)
        if found is not None:
            self.show_again()
            self.log_panel.go_to(found.at)
            return
        page = self.state.page
        if page is not None:
            self._search(page.end if step > 0 else page.start, step)

    def _is_match(self, line: LogLine) -> bool:
        wanted = self._wanted()
        return line.level >= wanted.level and parse_filter(wanted.needle).keeps(line.text)

    def _wanted(self) -> LogQuery:
        """What n and N look for."""
        if self.state.is_filtered:
            return LogQuery(needle=self.state.needle, level=self.state.level)
        if self._searched:
            return LogQuery(needle=self._searched)
        return LogQuery(level=LogLevel.WARNING)

    # -- reading

    def forget(self) -> None:
        """Forget what was read."""
        self._turn += 1
        self._next = None
        self.state = replace(self.state, page=None, failure=None, note="")

    def read(self) -> None:
        """Ask for the newest lines, or those that the page was opened for."""
        self._open()

    def _query(self, at: int, *, is_forward: bool = False) -> LogQuery:
        wanted = parse_filter(self.state.needle)
        context = CONTEXT_LINES if wanted.needle and not wanted.is_inverse else 0
        return LogQuery(at, LINES_READ, is_forward, self.state.needle, self.state.level, context)

    def _choose(self, state: LogState) -> None:
        """Show other lines of the same log: those around where the operator is, or at the end."""
        self._turn += 1
        self.state = replace(state, note="")
        self._next = None
        self._open()

    def _open(self) -> None:
        """Read the newest lines, or those at the place that the page was opened for."""
        source, control, place = self.source, self.appliance.control, self._place
        is_known = isinstance(source, ServiceLog) or source.task_id
        if is_known and (self.state.is_filtered or place is None):
            query = self._query(NEWEST)
            self._read(lambda: PlaceRead(source.read(control, query)), self._replace)
        else:
            self._read(partial(_read_place, source, control, place), self._replace)

    def _follow(self) -> None:
        """Read what has been written since, while the newest line is held."""
        page = self.state.page
        if page is None or self.state.failure is not None:
            self._open()
        elif not self._is_reading and self.is_current and self.state.is_at_end:
            self._read_part(self._query(page.end, is_forward=True), self._append)

    @on(LogPanel.AtEdge)
    def _read_on(self, edge: LogPanel.AtEdge) -> None:
        """Read earlier or later lines when the operator comes near the first or the last one held."""
        page = self.state.page
        if page is None or self._is_reading:
            return
        if edge.is_top and page.start > 0:
            self._read_part(self._query(page.start), self._prepend)
        elif not edge.is_top and page.end < page.size:
            self._read_part(self._query(page.end, is_forward=True), self._append)

    @on(LogPanel.Left)
    def _hold(self) -> None:
        """Moving away from the end holds the log still."""
        if self.state.is_following:
            self.state = replace(self.state, is_following=False)
            self.show_again()

    @on(LogPanel.Jumped)
    def _jump(self, jumped: LogPanel.Jumped) -> None:
        """Go to the log's very beginning or end."""
        page = self.state.page
        if page is None or (page.start <= 0 if jumped.is_top else self.state.is_at_end):
            return
        query = self._query(0, is_forward=True) if jumped.is_top else self._query(NEWEST)
        is_top = jumped.is_top
        self.state = replace(self.state, is_following=False)

        def show(answer: PlaceRead) -> None:
            self._replace(answer)
            self.log_panel.action_jump(0 if is_top else -1)

        self._read_part(query, show)

    def _search(self, start: int, step: int) -> None:
        """Look for the next match beyond the lines held; a long log is gone through bit by bit."""
        source, control = self.source, self.appliance.control
        wanted = self._wanted()
        query = replace(wanted, at=start, lines=1, is_forward=step > 0)
        around = LogQuery() if not self.state.is_filtered else self._query(NEWEST)

        def look() -> PlaceRead:
            page = source.read(control, query)
            if not page.lines:
                return PlaceRead(page)
            at = page.lines[0 if step > 0 else -1].at
            return PlaceRead(read_around(source, control, at, around), at)

        def show(answer: PlaceRead) -> None:
            page = answer.page
            if answer.at is not None:
                self._replace(answer)
            elif page.end < page.size if step > 0 else page.start > 0:
                done = page.end / page.size if step > 0 else 1 - page.start / page.size
                self.state = replace(self.state, note=f"searching … {done:.0%}")
                self._search(page.end if step > 0 else page.start, step)
            else:
                self.state = replace(self.state, note="no further match")
            self.show_again()

        self._read(look, show)

    def _read_part(self, query: LogQuery, show: Callable[[PlaceRead], None]) -> None:
        source, control = self.source, self.appliance.control
        self._read(lambda: PlaceRead(source.read(control, query)), show)

    def _read(self, look: Callable[[], PlaceRead], show: Callable[[PlaceRead], None]) -> None:
        """Run a read off the loop; the newest wish waits while another read is under way."""
        if not self.is_current:
            return
        if self._is_reading:
            self._next = lambda: self._read(look, show)
            return
        self._is_reading = True
        turn = (self._turn, self.source)
        ask(self, look, lambda answer: LogRead(turn, answer, show))

    @on(LogRead)
    def _show_log(self, message: LogRead) -> None:
        self._is_reading = False
        if message.turn == (self._turn, self.source):
            if isinstance(message.answer, Failure):
                self.state = replace(self.state, failure=message.answer)
                self.show_again()
            else:
                self.state = replace(self.state, failure=None)
                message.show(message.answer)
        following, self._next = self._next, None
        if following is not None:
            following()

    # -- answers

    def _replace(self, answer: PlaceRead) -> None:
        if answer.source is not None:
            self.source = answer.source
        self.state = replace(self.state, name=self.source.title, page=answer.page, note="")
        self.show_again()
        if answer.at is not None:
            self.log_panel.go_to(answer.at)
        self._fill()

    def _append(self, answer: PlaceRead) -> None:
        page = self.state.page
        if page is None:
            return
        if answer.page.file != page.file or answer.page.size < page.end:
            self._open()  # rotated or emptied: positions mean something else now
            return
        if answer.page.lines or answer.page.end > page.end:
            kept = shortened(joined(page, answer.page), keep_end=True)
            self.state = replace(self.state, page=kept)
            self.show_again()

    def _prepend(self, answer: PlaceRead) -> None:
        page = self.state.page
        if page is None:
            return
        if answer.page.file != page.file:
            self._open()
            return
        both = joined(answer.page, replace(page, size=answer.page.size))
        self.state = replace(self.state, page=shortened(both, keep_end=False))
        self.show_again()
        self._fill()

    def _fill(self) -> None:
        """Search on while a filter has not filled the screen and there is more to look at."""
        page = self.state.page
        is_short = page is not None and len(page.lines) < self.log_panel.frame_height
        if self.state.is_filtered and is_short and page is not None and page.start > 0:
            self._read_part(self._query(page.start), self._prepend)

    # -- services

    @on(Panel.Moved, "#sources")
    def _switch(self, moved: Panel.Moved) -> None:
        if moved.key and moved.key != self.source.title:
            self.source, self._place, self._words = ServiceLog(moved.key), None, None
            self.state = LogState(moved.key, needle=self.state.needle, level=self.state.level)
            self.show_again()
            self._choose(self.state)

    @on(Panel.Chosen, "#sources")
    def _focus_log(self) -> None:
        self.log_panel.focus()


def _read_place(source: LogSource, control: Control, place: Place | None) -> PlaceRead:
    known = resolved(source, control)
    return PlaceRead(*read_place(known, control, place), known)
