"""Market data: every feed's state, how complete one is, its gaps, and work on its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from appliance.control.api import Control
from appliance.domain.candle import Gap
from appliance.domain.coverage import MarketCoverage
from appliance.domain.feed import Feed
from appliance.domain.history_job import CoverageCell
from appliance.tui.messages import CoverageRead
from appliance.tui.presentation import coverage
from appliance.tui.presentation.coverage import SPANS, DataState
from appliance.tui.presentation.feeds import by_need, feed_name, feed_of
from appliance.tui.screens.modals import ReadModal
from appliance.tui.screens.page import Page
from appliance.tui.several import cancel_job
from appliance.tui.state import Board, Failure
from appliance.tui.widgets.panel import Panel

READ_SECONDS = 5.0
MOST_CELLS = 400


class DataPage(Page):
    """Feeds above, the chosen one's coverage, gaps and jobs below."""

    AUTO_FOCUS = "#feeds"
    CRUMB = "data"
    OWN_KEYS: ClassVar[Sequence[tuple[str, str]]] = (
        ("esc", "Back"),
        ("+ -", "Span"),
        ("backfill", "Backfill"),
        ("repair", "Repair"),
        ("audit", "Audit"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus,equals_sign", "span(-1)", "Less time", show=False),
        Binding("minus", "span(1)", "More time", show=False),
    ]

    def __init__(self, feed: Feed | None, gap_at: datetime | None = None) -> None:
        """Make the page of a feed, with the gap at `gap_at` under the cursor where one is meant."""
        super().__init__()
        self._gap_at = gap_at
        self.state = DataState(feed)

    def compose_body(self) -> ComposeResult:
        """Place the four panels."""
        yield Panel(id="feeds")
        yield Panel(id="coverage")
        yield Panel(id="gaps")
        yield Panel(id="jobs")

    def on_mount(self) -> None:
        """Put the cursor on the chart's market, read now and then every few seconds."""
        board = self.appliance.board
        shown = [Feed(market.market, market.unit) for market in by_need(board)]
        if self.state.feed in shown:
            self.panel("feeds").cursor = shown.index(self.state.feed)
        super().on_mount()
        if self._gap_at is not None:
            gaps = self.panel("gaps")
            gaps.choose(self._gap_at.isoformat())
            gaps.focus()
        self.read()
        self.set_interval(READ_SECONDS, self.read)

    @property
    def crumb(self) -> str:
        """The page and its feed."""
        return f"data › {feed_name(self.state.feed)}" if self.state.feed else "data"

    @property
    def gap(self) -> Gap | None:
        """The gap under the cursor while its panel has the focus."""
        panel = self.panel("gaps")
        known = self.state.known.gaps if self.state.known and panel.has_focus else ()
        return next((g for g in known if g.start_at.isoformat() == panel.selected_key), None)

    def show_board(self, board: Board, now: datetime) -> None:
        """Show the four panels."""
        if self.state.feed not in board.feeds:
            self.state = DataState(board.feed, self.state.hours)
        state = self.state
        self.panel("feeds").show(partial(coverage.present_feeds, board), now)
        self.panel("coverage").show(partial(coverage.present_coverage, board, state), now)
        self.panel("gaps").show(partial(coverage.present_gaps, board, state), now)
        self.panel("jobs").show(partial(coverage.present_jobs, board), now)
        super().show_board(board, now)

    def forget(self) -> None:
        """Forget what was read."""
        self.state = DataState(self.state.feed, self.state.hours)

    def read(self) -> None:
        """Ask for the chosen feed's coverage unless an answer is awaited or nobody looks."""
        feed = self.state.feed
        if self._is_reading or feed is None or not self.is_current:
            return
        self._is_reading = True
        control, hours = self.appliance.control, self.state.hours
        cells = max(min(self.app.size.width - 4, MOST_CELLS), 20)
        self.ask(partial(_read, control, feed, hours, cells), partial(_answer, feed, hours))

    def action_span(self, step: int) -> None:
        """Let the strip cover more time, or less."""
        hours = SPANS[min(max(SPANS.index(self.state.hours) + step, 0), len(SPANS) - 1)]
        self.state = replace(self.state, hours=hours)
        self.read()

    @on(CoverageRead)
    def _show_coverage(self, message: CoverageRead) -> None:
        if self.is_late(message):
            return
        self._is_reading = False
        if (message.feed, message.hours) != (self.state.feed, self.state.hours):
            self.read()
            return
        if isinstance(message.answer, Failure):
            self.state = replace(self.state, failure=message.answer, is_read=True)
        else:
            known, strip = message.answer
            self.state = replace(self.state, known=known, strip=strip, is_read=True, failure=None)
        self.show_again()

    @on(Panel.Moved, "#feeds")
    def _switch(self, moved: Panel.Moved) -> None:
        if moved.key and feed_of(moved.key) != self.state.feed:
            self.state = DataState(feed_of(moved.key), self.state.hours)
            self.show_again()
            self.read()

    @on(Panel.Chosen, "#feeds, #coverage")
    def _open_feed(self) -> None:
        page = partial(coverage.describe_feed, self.appliance.board, self.state)
        self.app.push_screen(ReadModal("Coverage", page))

    @on(Panel.Chosen, "#gaps")
    def _open_gap(self) -> None:
        if self.gap is not None:
            page = partial(coverage.describe_gap, self.appliance.board, self.gap)
            self.app.push_screen(ReadModal("Gap", page))

    @on(Panel.Chosen, "#jobs")
    def _ask_to_cancel(self, chosen: Panel.Chosen) -> None:
        known = coverage.running(self.appliance.board.jobs)
        job = next((job for job in known if str(job.id) == chosen.key), None)
        if job is None:
            return
        cancel_job(self.appliance, job.id, f"{job.kind} of {feed_name(Feed(job.market, job.unit))}")


Answer = tuple[MarketCoverage | None, tuple[CoverageCell, ...]]


def _read(control: Control, feed: Feed, hours: float, cells: int) -> Answer:
    return control.coverage(*feed), tuple(control.coverage_strip(*feed, hours, cells))


def _answer(feed: Feed, hours: float, found: Answer | Failure) -> CoverageRead:
    return CoverageRead(feed, hours, found)
