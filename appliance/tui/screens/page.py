"""What every full screen has: source banner, notices, body, filter line, keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Input

from appliance import clock
from appliance.tui.presentation import banner, keys
from appliance.tui.state import Board
from appliance.tui.widgets.bars import TALL_FROM, KeyBar, Lines
from appliance.tui.widgets.field import Field
from appliance.tui.widgets.panel import Panel

if TYPE_CHECKING:
    from appliance.tui.app import ApplianceApp


class Page(Screen[None]):
    """Base of the full screens; subclasses compose a body and show the board in it."""

    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-narrow"), (110, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (TALL_FROM, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "focus_next", "Next panel", show=False),
        Binding("left", "focus_previous", "Previous panel", show=False),
        Binding("slash", "filter", "Filter", show=False),
        Binding("escape", "back", "Back", show=False),
    ]
    OWN_KEYS: ClassVar[Sequence[tuple[str, str]]] = (("esc", "Back"), ("/", "Filter"))
    NOTICE_LINES = 7

    def __init__(self) -> None:
        super().__init__()
        self.needle = ""

    @property
    def appliance(self) -> ApplianceApp:
        """The application with its own type."""
        return cast("ApplianceApp", self.app)

    def compose(self) -> ComposeResult:
        """Place the bars around the body."""
        yield Lines(id="top")
        yield Lines(id="notices", max_lines=self.NOTICE_LINES)
        yield from self.compose_body()
        yield Field(id="filter", placeholder="filter …")
        yield KeyBar(id="keys")

    def compose_body(self) -> ComposeResult:
        """Place the page's own panels."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Show what is known already."""
        self.show_board(self.appliance.board, clock.now())

    def show_board(self, board: Board, now: datetime) -> None:
        """Show `board` as of `now` in the bars; subclasses add their panels."""
        top = self.query_one("#top", Lines)
        top.show(lambda frame: (banner.top_line(board, frame),), now)
        self.query_one("#notices", Lines).show(partial(banner.notices, board), now)
        own = self.OWN_KEYS
        self.query_one("#keys", Lines).show(lambda f: (keys.key_line(board, f, own),), now)

    def show_again(self) -> None:
        """Show the known board anew, after something of the page itself changed."""
        self.show_board(self.appliance.board, clock.now())

    def panel(self, name: str) -> Panel:
        """Return the panel with this id."""
        return self.query_one(f"#{name}", Panel)

    def action_filter(self) -> None:
        """Open the filter line."""
        field = self.query_one("#filter", Input)
        field.display = True
        field.focus()

    def action_back(self) -> None:
        """Leave the filter, then the zoom, then the page."""
        field = self.query_one("#filter", Input)
        if field.display or self.needle:
            field.value = ""
            self._close_filter(field)
        elif self.maximized is not None:
            self.minimize()
        elif len(self.app.screen_stack) > 1:
            self.app.pop_screen()

    @on(Input.Changed, "#filter")
    def _narrow(self, event: Input.Changed) -> None:
        self.needle = event.value.strip()
        self.show_again()

    @on(Input.Submitted, "#filter")
    def _keep_filter(self, event: Input.Submitted) -> None:
        self._close_filter(event.input)

    def _close_filter(self, field: Input) -> None:
        field.display = False
        panels = list(self.query(Panel))
        if panels:
            self.filtered_panel(panels).focus()

    def filtered_panel(self, panels: list[Panel]) -> Panel:
        """Return the panel that the filter narrows."""
        return panels[0]
