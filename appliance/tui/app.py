"""The application: holds the board, receives messages, hands both to the screens."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar

from textual import on
from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen

from appliance import clock
from appliance.control.api import Control
from appliance.terminal import clean, clean_line
from appliance.tui.actions import ACTIONS, action
from appliance.tui.commands import ActionCommands
from appliance.tui.coordinators import HistoryCoordinator, StreamCoordinator
from appliance.tui.messages import ActionFailed, ActionSucceeded, HistoryRead, StreamAdvanced
from appliance.tui.operations import OPERATIONS
from appliance.tui.screens.dashboard import Dashboard
from appliance.tui.screens.page import Page
from appliance.tui.state import Board, Failure, Feed, Reading, with_events, with_live
from appliance.tui.theme import LINE, MUTED, NIGHT, RICH_THEME

T = TypeVar("T")

FAREWELL = "The appliance keeps running. `appliance` shows it again, `appliance down` stops it.\n"
RETRY_TICKS = 5
"""Seconds between attempts to read history again after a failure."""


def run(control: Control) -> int:
    """Run the application on the terminal and return the exit code."""
    code = ApplianceApp(control).run()
    sys.stdout.write(FAREWELL)
    return code or 0


class ApplianceApp(App[int]):
    """Terminal dashboard of one appliance."""

    TITLE = "appliance"
    CSS_PATH = ["app.tcss", "screens/dashboard.tcss"]  # noqa: RUF012
    COMMANDS = {ActionCommands}  # noqa: RUF012 - Textual's declaration
    NOTIFICATION_TIMEOUT = 6
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(known.key, f"operate('{known.id}')", known.title, show=False)
        for known in ACTIONS
        if known.key
    ]

    def __init__(self, control: Control) -> None:
        super().__init__()
        self.control = control
        self.board = Board()
        self._stream = StreamCoordinator(control, self.post_message)
        self._history = HistoryCoordinator(control, self.post_message)
        self._history_of: tuple[object, ...] = ()
        self._ticks = 0
        self.console.push_theme(RICH_THEME)
        self.register_theme(NIGHT)
        self.theme = NIGHT.name

    def notify(
        self, message: str, *, title: str = "", markup: bool = False, **options: Any
    ) -> None:
        """Show a notice; what it says comes from outside, so it is cleaned and no markup."""
        super().notify(clean(message), title=clean_line(title), markup=markup, **options)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Give Textual's own themes the variables that the style sheet uses."""
        return {"line": LINE, "muted": MUTED}

    def get_default_screen(self) -> Screen[None]:
        """Start on the dashboard."""
        return Dashboard()

    def on_mount(self) -> None:
        """Start reading."""
        self._stream.start()
        self._history.start()
        self.set_interval(1.0, self._tick)

    def on_unmount(self) -> None:
        """Let the readers end."""
        self._stream.stop()
        self._history.stop()

    def action_operate(self, action_id: str) -> None:
        """Run an action of the registry by its key."""
        self.run_operation(action_id)

    def run_operation(self, action_id: str) -> None:
        """Run an action of the registry, or say why it cannot run now."""
        known = action(action_id)
        reason = known.blocked(self.board)
        if reason:
            name = known.title.removesuffix(" …")
            self.notify(reason, title=f"{name}: not now", severity="warning", markup=False)
            return
        OPERATIONS[action_id](self)

    def leave(self) -> None:
        """Leave the dashboard; everything keeps running."""
        self.exit(0)

    def choose_project(self, name: str) -> None:
        """Show another project."""
        empty: Board = Board()
        self.board = replace(
            self.board,
            project_name=name,
            chosen_feed=None,
            candles=empty.candles,
            forecasts=empty.forecasts,
        )
        self._request_history()
        self._show()

    def choose_feed(self, feed: Feed) -> None:
        """Show another market or timeframe in the chart."""
        if feed == self.board.feed:
            return
        self.board = replace(self.board, chosen_feed=feed, candles=Board().candles)
        self._request_history()
        self._show()

    @on(StreamAdvanced)
    def _advance(self, message: StreamAdvanced) -> None:
        update, at = message.update, clock.now()
        board = with_live(self.board, update.live) if update.live else self.board
        if update.events:
            board = with_events(board, update.events, at)
        if update.status is not None:
            board = replace(board, status=Reading(update.status, at), retry_at=None)
        if update.failure is not None:
            retry_at = at + timedelta(seconds=update.retry_seconds)
            board = replace(board, status=board.status.failed(update.failure), retry_at=retry_at)
        self.board = board
        self._request_history()
        self._show()

    @on(HistoryRead)
    def _show_history(self, message: HistoryRead) -> None:
        project = self.board.project
        if message.project != (project.name if project else "") or message.feed != self.board.feed:
            return
        at, board = clock.now(), self.board
        board = replace(
            board,
            candles=_read(board.candles, message.candles, at),
            forecasts=_read(board.forecasts, message.forecasts, at),
        )
        if isinstance(message.events, Failure):
            board = replace(board, events=board.events.failed(message.events))
        else:
            board = with_events(board, message.events, at)
        self.board = board
        self._show()

    @on(ActionSucceeded)
    def _report_success(self, message: ActionSucceeded) -> None:
        self.notify(message.text, title=f"✔ {message.action}", markup=False)

    @on(ActionFailed)
    def _report_failure(self, message: ActionFailed) -> None:
        failure = message.failure
        hint = f"\n→ {failure.hint}" if failure.hint else ""
        self.notify(
            f"{failure.message}{hint}",
            title=f"✖ {message.action}: refused",
            severity="error",
            timeout=12,
            markup=False,
        )

    def _request_history(self, *, again: bool = False) -> None:
        """Ask for candles, forecasts and events when something says that there are newer ones."""
        board = self.board
        project, market, live, feed = board.project, board.market, board.live_candle, board.feed
        if feed is None or not board.is_connected:
            self._history_of = ()
            return
        name = project.name if project else ""
        signature = (
            name,
            feed,
            market.stored_candles if market else 0,
            project.forecast_count if project else 0,
            live.candle.candle_date_time_utc if live else None,
        )
        if again or signature != self._history_of:
            self._history_of = signature
            self._history.request(name, feed)

    def _tick(self) -> None:
        """Let ages and countdowns move; retry what could not be read."""
        self._ticks += 1
        readings = (self.board.candles, self.board.forecasts, self.board.events)
        if self._ticks % RETRY_TICKS == 0 and any(reading.failure for reading in readings):
            self._request_history(again=True)
        self._show()

    def _show(self) -> None:
        now = clock.now()
        for screen in self.screen_stack:
            if isinstance(screen, Page) and screen.is_mounted:
                screen.show_board(self.board, now)


def _read(
    reading: Reading[tuple[T, ...]], answer: tuple[T, ...] | Failure, at: datetime
) -> Reading[tuple[T, ...]]:
    return reading.failed(answer) if isinstance(answer, Failure) else reading.good(answer, at)
