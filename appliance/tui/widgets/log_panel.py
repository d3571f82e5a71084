"""The panel of a log's lines: says when more lines are wanted, and keeps its place when they come."""

from __future__ import annotations

from datetime import datetime

from textual.message import Message

from appliance.tui.widgets.panel import Panel, Present

EDGE_ROWS = 20
"""This near to the first or last row held, more lines are asked for."""


class LogPanel(Panel):
    """Rows have the key `position.piece`; the cursor stays on its line whatever is read around it."""

    class AtEdge(Message):
        """The operator is near the first or the last line held."""

        def __init__(self, *, is_top: bool) -> None:
            super().__init__()
            self.is_top = is_top

    class Left(Message):
        """The operator went away from the last line."""

    class Jumped(Message):
        """The operator asked for the first or the last line."""

        def __init__(self, *, is_top: bool) -> None:
            super().__init__()
            self.is_top = is_top

    @property
    def position(self) -> int:
        """Where in the log the line under the cursor is; 0 without one."""
        rows = self.view.rows
        for index in range(min(self.cursor, len(rows) - 1), -1, -1):
            if rows[index].key:
                return int(rows[index].key.partition(".")[0])
        return 0

    def show(self, present: Present, now: datetime) -> None:
        """Show the lines; what was on the screen stays where it was when lines come before it."""
        key, below_top = self.selected_key, self.cursor - self.scroll_offset.y
        super().show(present, now)
        if key and key == self.selected_key:
            self.scroll_to(y=self.cursor - below_top, animate=False, immediate=True, force=True)

    def _keep_cursor(self, key: str) -> None:
        keys = [row.key for row in self.view.rows]
        if key in keys:
            self.cursor = keys.index(key)
        self.cursor = min(self.cursor, max(len(keys) - 1, 0))

    def to_end(self) -> None:
        """Put the cursor on the last line."""
        self.cursor = max(len(self.view.rows) - 1, 0)
        self.scroll_end(animate=False)

    def go_to(self, at: int) -> None:
        """Put the cursor on the line at position `at`, with lines around it on the screen."""
        key = f"{at}.0"
        index = next((i for i, row in enumerate(self.view.rows) if row.key == key), None)
        if index is None:
            return
        before, self.cursor = self.cursor, index
        self._refresh_row(before)
        self._refresh_row(index)
        top = max(index - 2 * self.frame_height // 3, 0)
        self.scroll_to(y=top, animate=False, immediate=True, force=True)
        self.post_message(self.Moved(self, self.selected_key))

    def action_move(self, step: int) -> None:
        """Move the cursor by lines."""
        super().action_move(step)
        self._tell_where(step)

    def action_turn(self, pages: int) -> None:
        """Move by pages."""
        super().action_turn(pages)
        self._tell_where(pages)

    def action_jump(self, index: int) -> None:
        """Go to the first or the last line of the whole log."""
        super().action_jump(index)
        self.post_message(self.Jumped(is_top=index == 0))
        self._tell_where(-1 if index == 0 else 1)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Ask for more lines when the wheel or the scroll bar comes near an end."""
        super().watch_scroll_y(old_value, new_value)
        if new_value < old_value and new_value < EDGE_ROWS:
            self.post_message(self.AtEdge(is_top=True))
        elif new_value > old_value and new_value > self.max_scroll_y - EDGE_ROWS:
            self.post_message(self.AtEdge(is_top=False))

    def on_mouse_scroll_up(self) -> None:
        """Looking back holds the log still."""
        self.post_message(self.Left())

    def _tell_where(self, step: int) -> None:
        if step < 0:
            self.post_message(self.Left())
        if step < 0 and self.cursor < EDGE_ROWS:
            self.post_message(self.AtEdge(is_top=True))
        elif step > 0 and self.cursor >= len(self.view.rows) - EDGE_ROWS:
            self.post_message(self.AtEdge(is_top=False))
