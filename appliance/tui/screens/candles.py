"""The candles around an instant, one a row: what an outlier or a still price looks like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult

from appliance.domain.candle import Candle
from appliance.domain.feed import Feed
from appliance.tui.messages import CandlesRead
from appliance.tui.presentation import candle_table
from appliance.tui.presentation.candle_table import CandlesState
from appliance.tui.presentation.view import Frame
from appliance.tui.screens.page import Page
from appliance.tui.state import Board, Failure
from appliance.tui.widgets.bars import Lines
from appliance.tui.widgets.panel import Panel

CANDLES_READ = 120

Words = Callable[[Frame], Sequence[Text]]


class CandlesPage(Page):
    """A table of candles; the cursor stands on the one that stands out most."""

    AUTO_FOCUS = "#candles"
    CRUMB = "candles"
    OWN_KEYS: ClassVar[Sequence[tuple[str, str]]] = (("esc", "Back"), ("/", "Filter"))

    def __init__(self, feed: Feed, at: datetime | None, words: Words) -> None:
        super().__init__()
        self.state = CandlesState(feed, at)
        self._words = words

    def compose_body(self) -> ComposeResult:
        """Place the words above the table."""
        yield Lines(id="about", max_lines=6)
        yield Panel(id="candles")

    def on_mount(self) -> None:
        """Read at once."""
        super().on_mount()
        self.read()

    def forget(self) -> None:
        """Forget what was read."""
        self.state = CandlesState(self.state.feed, self.state.at)

    def read(self) -> None:
        """Ask for the candles that opened until somewhat after the instant."""
        (market, unit), at, control = self.state.feed, self.state.at, self.appliance.control
        end_at = (at or self.appliance.now) + timedelta(minutes=unit * CANDLES_READ // 2)
        self.ask(lambda: control.candles_until(market, unit, end_at, CANDLES_READ), _answer)

    def show_board(self, board: Board, now: datetime) -> None:
        """Show words and table."""
        super().show_board(board, now)
        self.query_one("#about", Lines).show(self._words, now)
        self.panel("candles").show(partial(candle_table.present, self.state), now)

    @on(CandlesRead)
    def _show_candles(self, message: CandlesRead) -> None:
        if self.is_late(message):
            return
        if isinstance(message.candles, Failure):
            self.state = replace(self.state, failure=message.candles)
        else:
            self.state = replace(self.state, candles=message.candles, failure=None)
            key = candle_table.nearest(message.candles, self.state.at or self.appliance.now)
            self.panel("candles").choose(key)
        self.show_again()


def _answer(found: list[Candle] | Failure) -> CandlesRead:
    return CandlesRead(found if isinstance(found, Failure) else tuple(found))
