"""What every full screen has: source banner, notices, body, filter line, keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from appliance.tui.action_keys import default_keys, key_of
from appliance.tui.background import ask
from appliance.tui.messages import Answer
from appliance.tui.presentation import banner, keys
from appliance.tui.presentation.command_line import (
    Completion,
    completion_lines,
    completions,
)
from appliance.tui.presentation.view import Frame
from appliance.tui.screens.filtering import FilterScreen
from appliance.tui.state import Board, Failure
from appliance.tui.widgets.bars import KeyBar, Lines
from appliance.tui.widgets.command_bar import CommandBar
from appliance.tui.widgets.panel import Panel

if TYPE_CHECKING:
    from appliance.tui.app import ApplianceApp

T = TypeVar("T")


class Page(FilterScreen[None]):
    """Base of the full screens; subclasses compose a body and show the board in it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "focus_next", "Next panel", show=False),
        Binding("left", "focus_previous", "Previous panel", show=False),
        Binding("escape", "back", "Back", show=False),
    ]
    OWN_KEYS: ClassVar[Sequence[tuple[str, str]]] = (("esc", "Back"), ("/", "Filter"))
    """What the key line begins with: a key, or the id of an action that it stands for, and a label."""
    CRUMB: ClassVar[str] = "dashboard"
    NOTICE_LINES = 7
    IS_OF_PROJECT: ClassVar[bool] = False
    """Whether what the page reads is of the project on the screen."""

    def __init__(self) -> None:
        super().__init__()
        self._is_reading = False
        self._project = ""
        self._asked_turn = 0

    @property
    def appliance(self) -> ApplianceApp:
        """The application with its own type."""
        return cast("ApplianceApp", self.app)

    def compose(self) -> ComposeResult:
        """Place the bars around the body."""
        yield Lines(id="top")
        yield Lines(id="notices", max_lines=self.NOTICE_LINES)
        yield from self.compose_body()
        yield self.filter_field()
        yield CommandBar(self._completion_lines, self._completions)
        yield KeyBar(id="keys")

    def compose_body(self) -> ComposeResult:
        """Place the page's own panels."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Show what is known already."""
        self.show_again()

    def on_screen_resume(self) -> None:
        """Show what has changed while another page was on top."""
        if self.is_mounted:
            self.show_again()

    def show_board(self, board: Board, now: datetime) -> None:
        """Show `board` as of `now` in the bars; subclasses show their panels first, which crumbs may name."""
        top = self.query_one("#top", Lines)
        crumbs = self.appliance.crumbs(self)
        top.show(lambda frame: (banner.top_line(board, frame, crumbs),), now)
        self.query_one("#notices", Lines).show(partial(banner.notices, board), now)
        actions = default_keys()
        own = [(key_of(key) if key in actions else key, label) for key, label in self.OWN_KEYS]
        self.query_one("#keys", Lines).show(lambda f: (keys.key_line(board, f, own),), now)

    @property
    def crumb(self) -> str:
        """What this page is called among the crumbs."""
        return self.CRUMB

    @property
    def command_bar(self) -> CommandBar:
        """The command line."""
        return self.query_one(CommandBar)

    def _completion_lines(self, text: str, frame: Frame) -> list[Text]:
        return completion_lines(self.appliance.command_specs(), text, self.appliance.board, frame)

    def _completions(self, text: str) -> list[Completion]:
        return completions(self.appliance.command_specs(), text, self.appliance.board)

    def show_again(self) -> None:
        """Show the known board anew, after it or something of the page itself changed."""
        self._follow_project()
        self.show_board(self.appliance.board, self.appliance.now)

    def _follow_project(self) -> None:
        """Notice that another project is shown, whatever has changed it."""
        project = self.appliance.board.project
        if project is None or project.name == self._project:
            return
        before, self._project = self._project, project.name
        if before and self.IS_OF_PROJECT:
            self.change_project()

    def change_project(self) -> None:
        """Be about the project that is shown now."""
        self.start_over()

    def start_over(self) -> None:
        """Forget what was read and read again, as another project or time is shown."""
        self._asked_turn += 1
        self._is_reading = False
        self.forget()
        self.read()

    def ask(self, call: Callable[[], T], answer: Callable[[T | Failure], Answer]) -> None:
        """Run `call` off the event loop and post its answer to this page; see `is_late`."""
        turn = self._asked_turn

        def of_turn(found: T | Failure) -> Answer:
            message = answer(found)
            message.turn = turn
            return message

        ask(self, call, of_turn)

    def is_late(self, message: Answer) -> bool:
        """Whether an answer is about a project or a time that the page has left since it asked."""
        return message.turn != self._asked_turn

    def forget(self) -> None:
        """Forget what the page itself has read."""

    def read(self) -> None:
        """Ask for what the page shows beside the board."""

    def panel(self, name: str) -> Panel:
        """Return the panel with this id."""
        return self.query_one(f"#{name}", Panel)

    def action_back(self) -> None:
        """Leave the filter, then the zoom, then the page."""
        if self.clear_filter():
            return
        if self.maximized is not None:
            self.minimize()
        elif len(self.app.screen_stack) > 1:
            self.app.pop_screen()
