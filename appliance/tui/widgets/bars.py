"""The lines around the panels: status at the top, notices below it, keys at the bottom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from rich.text import Text
from textual.events import Click, Resize
from textual.screen import ModalScreen
from textual.widgets import Static

from appliance.tui.presentation.keys import key_at
from appliance.tui.presentation.view import Frame

TALL_FROM = 34
"""Terminals below this height have no room for more than three notices."""


class Lines(Static):
    """Some lines of text made by a pure function; repainted only when they change."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str, max_lines: int = 1, short_lines: int = 3) -> None:  # noqa: A002
        """Make an area of at most `max_lines`, in short terminals of at most `short_lines`."""
        super().__init__(id=id, markup=False)
        self.max_lines = max_lines
        self.short_lines = min(short_lines, max_lines)
        self.lines: tuple[Text, ...] = ()
        self._present: Callable[[Frame], Sequence[Text]] | None = None
        self._now: datetime | None = None

    def show(self, present: Callable[[Frame], Sequence[Text]], now: datetime) -> None:
        """Show what `present` makes of the width and `now`."""
        self._present, self._now = present, now
        self._rebuild()

    def on_resize(self, event: Resize) -> None:
        """Make the lines anew for the new width."""
        del event
        self._rebuild()

    def repaint(self) -> None:
        """Make the lines anew in other colours."""
        self.lines = ()
        self._rebuild()

    def _rebuild(self) -> None:
        width = self.size.width or self.app.size.width
        if self._present is None or self._now is None or not width:
            return
        room = self.max_lines if self.app.size.height >= TALL_FROM else self.short_lines
        lines = tuple(self._present(Frame(width, room, self._now)))
        if lines == self.lines:
            return
        is_taller = len(lines) != len(self.lines)
        self.lines = lines
        self.display = bool(lines)
        self.update(Text("\n").join(lines), layout=is_taller)


class KeyBar(Lines):
    """The keys of a screen or dialog; a click on one presses it, beside them it opens the palette."""

    async def on_click(self, event: Click) -> None:
        """Press the key under the mouse."""
        event.stop()
        offset = event.get_content_offset(self)
        key = key_at(self.lines[0], offset.x) if offset is not None and self.lines else ""
        if key:
            self.app.simulate_key(key)
        elif not isinstance(self.screen, ModalScreen):
            await self.app.run_action("app.operate('palette')")
