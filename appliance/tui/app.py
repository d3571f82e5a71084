"""The application: holds the board, receives messages, hands both to the screens."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.filter import LineFilter, NoColor
from textual.screen import Screen
from textual.widgets import Input

from appliance import clock, zone
from appliance.config.whoami import local_origin
from appliance.control.api import Control
from appliance.control.past import Recording
from appliance.domain.feed import Feed
from appliance.domain.origin import Origin, Through
from appliance.errors import ApplianceNotRunning
from appliance.terminal import clean, clean_line
from appliance.tui import keymap
from appliance.tui.action_keys import key_of
from appliance.tui.actions import ACTIONS, action
from appliance.tui.advancing import advanced, history_signature, with_history
from appliance.tui.commands import ActionCommands
from appliance.tui.coordinators import HistoryCoordinator, StreamCoordinator
from appliance.tui.keys_in_order import KeysInOrder
from appliance.tui.messages import (
    ActionFailed,
    ActionSucceeded,
    HistoryRead,
    PromotionAsked,
    StreamAdvanced,
)
from appliance.tui.operations import OPERATIONS, go_on_promoting
from appliance.tui.plain_glyphs import PlainGlyphs
from appliance.tui.preferences import Preferences
from appliance.tui.presentation.command_line import CommandSpec
from appliance.tui.presentation.explanation import Explanation
from appliance.tui.screens.dashboard import Dashboard
from appliance.tui.screens.page import Page
from appliance.tui.screens.why import WhyModal, Words, evidence_page
from appliance.tui.state import Board
from appliance.tui.theme import LINE, LOOKS, MUTED, chosen_look
from appliance.tui.time_operations import PAST_KEYS
from appliance.tui.travel import PLAY_SECONDS, PastRead, Subject, Traveller
from appliance.tui.typed_commands import run_line, specs
from appliance.tui.typed_lines import TypedLines
from appliance.tui.undo import Undo
from appliance.tui.widgets.bars import Lines
from appliance.tui.widgets.command_bar import CommandBar

RETRY_TICKS = 5
"""Seconds between attempts to read history again after a failure."""


class ApplianceApp(KeysInOrder):
    """Terminal dashboard of one appliance."""

    TITLE = "appliance"
    CSS_PATH = ["app.tcss", "screens/dashboard.tcss"]  # noqa: RUF012
    COMMANDS = {ActionCommands}  # noqa: RUF012 - Textual's declaration
    NOTIFICATION_TIMEOUT = 6
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            known.key,
            f"operate('{known.id}')",
            known.title,
            show=False,
            id=known.id,
            priority=known.id in PAST_KEYS,
        )
        for known in ACTIONS
        if known.key
    ]

    def __init__(
        self,
        control: Control | None,
        preferences: Preferences | None = None,
        origin: Origin | None = None,
        recording: Recording | None = None,
        start_at: datetime | None = None,
    ) -> None:
        super().__init__()
        self._control = control
        self._start_at = start_at
        self.traveller = Traveller(recording, self.post_message)
        self.preferences = preferences or Preferences()
        self.origin = origin or local_origin(Through.CONSOLE)
        self.board = Board()
        self._undo: Undo | None = None
        self._typed = TypedLines(self.preferences.keeping)
        self._stream = StreamCoordinator(control, self.post_message) if control else None
        self._history = HistoryCoordinator(control, self.post_message) if control else None
        self._history_of: tuple[object, ...] = ()
        self._ticks = 0
        self._has_few_glyphs = os.environ.get("TERM") == "linux"
        keymap.choose(self.preferences.keys)
        self.set_keymap({known: keymap.textual_key(key) for known, key in keymap.all_chosen()})
        for look in LOOKS.values():
            self.register_theme(look.theme)
        system, is_colourless = self.console.color_system, self.no_color
        wanted = "auto" if is_colourless else self.preferences.theme
        self.look = chosen_look(wanted, system, is_colourless=is_colourless)
        self.console.push_theme(self.look.rich_theme)
        self.theme = self.look.theme.name

    def notify(
        self, message: str, *, title: str = "", markup: bool = False, **options: Any
    ) -> None:
        """Show a notice; what it says comes from outside, so it is cleaned and no markup."""
        text = clean(zone.in_zone(message))
        super().notify(text, title=clean_line(title), markup=markup, **options)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Give Textual's own themes the variables that the style sheet uses."""
        return {"line": LINE, "muted": MUTED}

    def get_default_screen(self) -> Screen[None]:
        """Start on the dashboard."""
        return Dashboard()

    def on_mount(self) -> None:
        """Start reading."""
        if self._stream and self._history:
            self._stream.start()
            self._history.start()
        self.set_interval(1.0, self._tick)
        self.set_interval(PLAY_SECONDS, lambda: self.traveller.tick(self.board))
        if self._start_at is not None:
            self.go_to(self._start_at)

    def on_unmount(self) -> None:
        """Let the readers end."""
        if self._stream and self._history:
            self._stream.stop()
            self._history.stop()
        self.traveller.stop()

    @property
    def control(self) -> Control:
        """What the screens ask: the running appliance, or its recording as of the time shown."""
        control = self.traveller.control or self._control
        if control is None:
            raise ApplianceNotRunning("the recording is being opened")
        return control

    @property
    def now(self) -> datetime:
        """The time that the screens show."""
        return self.board.past.at if self.board.past else clock.now()

    def go_to(self, at: datetime) -> None:
        """Show every screen as it was at `at`."""
        self.traveller.go_to(at, Subject(self.board.project_name, self.board.chosen_feed))

    def show_past(self, board: Board) -> None:
        """Show a board of the past."""
        self.board = board
        self._show()

    def return_to_now(self) -> None:
        """Show the running appliance again; a file's end where there is none."""
        if self._control is None:
            if self.board.past is not None:
                self.go_to(self.board.past.last_at)
            return
        board = self.traveller.return_to_now()
        if board is not None:
            self._change_time(board)

    @on(PastRead)
    def _arrive(self, message: PastRead) -> None:
        if not self.traveller.is_wanted(message):
            return
        found = self.traveller.arrive(message, self.board)
        if isinstance(found, Board):
            self._change_time(found)
            if message.notice:
                self.notify(message.notice, title="Not recorded", severity="warning")
        elif found is None:
            self.notify("nothing further is recorded", severity="warning")
            self.show_past(self.traveller.marked(self.board))
        else:
            self._report_failure(ActionFailed("Time travel", found))

    def _change_time(self, board: Board) -> None:
        self.board = board
        for screen in self.screen_stack:
            if isinstance(screen, Page) and screen.is_mounted:
                screen.start_over()
        self._show()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the keys of the past to others while now is shown or something is typed."""
        if action == "operate" and parameters[0] in PAST_KEYS:
            return self.board.past is not None and not isinstance(self.focused, Input)
        return super().check_action(action, parameters)

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

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return what changes lines just before they are written: no colours where none are wanted."""
        filters = [NoColor()] if self.no_color else super().get_line_filters()
        return [*filters, PlainGlyphs()] if self._has_few_glyphs else filters

    def wear(self, name: str) -> None:
        """Show everything in another look."""
        self.look = LOOKS[name]
        self.console.pop_theme()
        self.console.push_theme(self.look.rich_theme)
        self.theme = self.look.theme.name
        for screen in self.screen_stack:
            for lines in screen.query(Lines):
                lines.repaint()
            screen.refresh(layout=True)

    @property
    def is_locked(self) -> bool:
        """Whether this console changes nothing at the moment."""
        return self.board.is_locked

    def lock(self, is_locked: bool) -> None:
        """Let this console change nothing, or act again."""
        self.board = replace(self.board, is_locked=is_locked)
        words = (
            f"keys change nothing; {key_of('read_only')} ends it" if is_locked else "keys act again"
        )
        self.notify(words, title="Read-only" if is_locked else "Read-only is off")
        self._show()

    def take_back(self) -> None:
        """Do the opposite of the last command; it asks as that action does."""
        undo = self._undo
        if undo is not None:
            self._remember(None)
            if undo.project not in ("", self.board.project.name if self.board.project else ""):
                self.choose_project(undo.project)
            undo.run(self)

    def _remember(self, undo: Undo | None) -> None:
        self._undo = undo
        self.board = replace(self.board, undo=undo.words if undo else "")

    def go_home(self) -> None:
        """Leave every page above the dashboard."""
        while len(self.screen_stack) > 1:
            self.pop_screen()

    def crumbs(self, page: Page) -> tuple[str, ...]:
        """Return the names of the pages that lead to `page`, its own last."""
        pages = [screen for screen in self.screen_stack if isinstance(screen, Page)]
        upto = pages.index(page) + 1 if page in pages else len(pages)
        return tuple(known.crumb for known in pages[:upto])

    def open_command_line(self) -> None:
        """Open the command line of the page."""
        if isinstance(self.screen, Page):
            self.screen.command_bar.open(self._typed.lines)

    def command_specs(self) -> list[CommandSpec]:
        """Return every command of the command line."""
        return specs()

    @on(CommandBar.Entered)
    def _run_typed(self, message: CommandBar.Entered) -> None:
        self._typed.add(message.text)
        run_line(self, message.text)

    @on(PromotionAsked)
    def _go_on_promoting(self, message: PromotionAsked) -> None:
        go_on_promoting(self, message)

    def open_why(self, explanation: Explanation, more: Words | None = None) -> None:
        """Show an explanation in words, and below it `more`."""
        self.push_screen(WhyModal(explanation, more))

    def open_evidence(self, explanation: Explanation) -> None:
        """Go to what an explanation rests on; where there is nothing to see, stay."""
        page = evidence_page(explanation, self.board)
        if page is not None:
            self.push_screen(page)

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
        self._read_board()

    def choose_feed(self, feed: Feed) -> None:
        """Show another market or timeframe in the chart."""
        if feed == self.board.feed:
            return
        self.board = replace(self.board, chosen_feed=feed, candles=Board().candles)
        self._read_board()

    def _read_board(self) -> None:
        """Read anew what belongs to the chosen project and chart."""
        self.traveller.drop_requests()
        if self.board.past is not None:
            self.go_to(self.board.past.at)
        else:
            self._request_history()
        self._show()

    @property
    def _live(self) -> Board:
        """The running appliance's board, shown or not."""
        return self.traveller.present or self.board

    def _keep(self, board: Board) -> None:
        if self.traveller.present is not None:
            self.traveller.present = board
        else:
            self.board = board

    @on(StreamAdvanced)
    def _advance(self, message: StreamAdvanced) -> None:
        board = advanced(self._live, message.update, clock.now())
        self._keep(board)
        self._request_history()
        self._show()

    @on(HistoryRead)
    def _show_history(self, message: HistoryRead) -> None:
        board = with_history(self._live, message, clock.now())
        if board is not None:
            self._keep(board)
            self._show()

    @on(ActionSucceeded)
    def _report_success(self, message: ActionSucceeded) -> None:
        text = message.text
        if message.undo is not None:
            self._remember(message.undo)
            text += f"\n{key_of('undo')} {message.undo.words}"
        self.notify(text, title=f"✔ {message.action}", markup=False)

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
        board = self._live
        project, feed, signature = board.project, board.feed, history_signature(board)
        if self._history is None or feed is None or not signature:
            self._history_of = ()
        elif again or signature != self._history_of:
            self._history_of = signature
            self._history.request(project.name if project else "", feed)

    def _tick(self) -> None:
        """Let ages and countdowns move; retry what could not be read."""
        self._ticks += 1
        live = self._live
        readings = (live.candles, live.forecasts, live.events)
        if self._ticks % RETRY_TICKS == 0 and any(reading.failure for reading in readings):
            self._request_history(again=True)
        self._show()

    def _show(self) -> None:
        for screen in reversed(self.screen_stack):
            # A page that is being taken down loses its children one by one, and still counts as mounted.
            if isinstance(screen, Page) and screen.is_mounted and screen.display:
                screen.show_again()
            if not screen.is_modal:
                return  # what is below is not seen; a page is shown again when it comes back
