"""The lines around the panels: status at the top, notices below it, keys at the bottom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from rich.text import Text
from textual.events import Click, Resize
from textual.widgets import Static

from appliance.tui.presentation.view import Frame

TALL_FROM = 34
"""Terminals below this height have no room for more than three notices."""


class Lines(Static):
    """Some lines of text made by a pure function; repainted only when they change."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str, max_lines: int = 1) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, markup=False)
        self.max_lines = max_lines
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

    def _rebuild(self) -> None:
        width = self.size.width or self.app.size.width
        if self._present is None or self._now is None or not width:
            return
        room = self.max_lines if self.app.size.height >= TALL_FROM else min(self.max_lines, 3)
        lines = tuple(self._present(Frame(width, room, self._now)))
        if lines == self.lines:
            return
        is_taller = len(lines) != len(self.lines)
        self.lines = lines
        self.display = bool(lines)
        self.update(Text("\n").join(lines), layout=is_taller)


class KeyBar(Lines):
    """The keys of the screen; a click opens the palette."""

    async def on_click(self, event: Click) -> None:
        """Open the palette, where every action can be clicked."""
        event.stop()
        await self.app.run_action("app.operate('palette')")
