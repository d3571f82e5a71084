"""The panel every screen is built of: titled, focusable, scrolling, repainting only changed lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from appliance.tui.presentation.arrange import UNSORTED, Arrangement, arrange, room_for
from appliance.tui.presentation.view import Frame, PanelView, Row
from appliance.tui.theme import NIGHT, Look, faded

Present = Callable[[Frame], PanelView]


class Panel(ScrollView, can_focus=True):
    """A list of lines made by a pure function, with a cursor when rows have keys."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "Down", show=False),
        Binding("k,up", "move(-1)", "Up", show=False),
        Binding("g,home", "jump(0)", "First", show=False),
        Binding("G,end", "jump(-1)", "Last", show=False),
        Binding("pagedown,ctrl+d", "turn(1)", "Page down", show=False),
        Binding("pageup,ctrl+u", "turn(-1)", "Page up", show=False),
        Binding("full_stop", "sort", "Sort by the next column", show=False),
        Binding("comma", "flip", "The other order", show=False),
        Binding("space", "select", "Select", show=False),
        Binding("enter", "choose", "Open", show=False),
    ]

    class Chosen(Message):
        """The operator opened the row `key` of `panel`; key is empty when rows cannot be chosen."""

        def __init__(self, panel: Panel, key: str) -> None:
            super().__init__()
            self.panel = panel
            self.key = key

        @property
        def control(self) -> Panel:
            """The panel, for handlers that select by it."""
            return self.panel

    class Moved(Message):
        """The cursor of `panel` went to the row `key`."""

        def __init__(self, panel: Panel, key: str) -> None:
            super().__init__()
            self.panel = panel
            self.key = key

        @property
        def control(self) -> Panel:
            """The panel, for handlers that select by it."""
            return self.panel

    class Arranged(Message):
        """The rows of `panel` were filtered, sorted or selected."""

        def __init__(self, panel: Panel) -> None:
            super().__init__()
            self.panel = panel

        @property
        def control(self) -> Panel:
            """The panel, for handlers that select by it."""
            return self.panel

    def __init__(self, *, id: str, classes: str = "", is_multi: bool = False) -> None:  # noqa: A002
        """Make a panel; with `is_multi`, several rows can be selected for one action."""
        super().__init__(id=id, classes=classes)
        self.is_multi = is_multi
        self.how = Arrangement()
        self._present: Present | None = None
        self._now: datetime | None = None
        self.view = PanelView(Text(), ())
        self.cursor = 0
        self._wanted_key = ""

    @property
    def selected_key(self) -> str:
        """Key of the row under the cursor; empty when there is none."""
        rows = self.view.rows
        return rows[self.cursor].key if 0 <= self.cursor < len(rows) else ""

    @property
    def selected_keys(self) -> list[str]:
        """Keys of the selected rows in the order shown; without a selection, that under the cursor."""
        if not self.how.selected:
            return [self.selected_key] if self.selected_key else []
        return [row.key for row in self.view.rows if row.key in self.how.selected]

    def filter(self, needle: str) -> None:
        """Keep only the rows that match `needle`; see `presentation.filters`."""
        self._arrange(replace(self.how, needle=needle))

    def _arrange(self, how: Arrangement) -> None:
        self.how = how
        self._rebuild()
        self.post_message(self.Arranged(self))

    def show(self, present: Present, now: datetime) -> None:
        """Show what `present` makes of the panel's size and `now`; changed lines are repainted."""
        self._present, self._now = present, now
        self._rebuild()

    def on_resize(self, event: Resize) -> None:
        """Make the view anew for the new size."""
        del event
        self._rebuild()

    def watch_show_vertical_scrollbar(self) -> None:
        """Use the column that the scroll bar takes or leaves."""
        self.call_after_refresh(self._rebuild)

    def frame(self, now: datetime) -> Frame:
        """Return the room for content."""
        region = self.scrollable_content_region
        return Frame(max(region.width, 1), max(region.height, 1), now)

    def _rebuild(self) -> None:
        if self._present is None or self._now is None or not self.size.width:
            return
        frame, old = self.frame(self._now), self.view
        view = arrange(self._present(room_for(self.how, frame)), self.how, frame)
        key = self.selected_key
        self.view = view
        self._keep_cursor(key)
        self._show_border(old, view)
        height = len(view.rows) + self._heading_lines
        if height != self.virtual_size.height or bool(old.heading) != bool(view.heading):
            self.virtual_size = Size(self.size.width, height)
            self.refresh(layout=self.styles.auto_dimensions)
        elif view.is_stale != old.is_stale:
            self.refresh()
        else:
            self._refresh_changed(old, view)

    def _show_border(self, old: PanelView, view: PanelView) -> None:
        if view.title != old.title:
            self.border_title = view.title
        if view.footnote != old.footnote:
            self.border_subtitle = view.footnote

    def choose(self, key: str) -> None:
        """Put the cursor on the row `key` as soon as there is one."""
        self._wanted_key = key
        self._rebuild()

    def _keep_cursor(self, key: str) -> None:
        """Stay on the same thing when rows come and go; on the first row while nobody moved."""
        keys = [row.key for row in self.view.rows]
        if self._wanted_key and self._wanted_key in keys:
            self.cursor, self._wanted_key = keys.index(self._wanted_key), ""
            self.call_after_refresh(self.scroll_to_cursor)
            return
        if key and self.cursor and key in keys:
            self.cursor = keys.index(key)
        self.cursor = min(self.cursor, max(len(keys) - 1, 0))

    def _refresh_changed(self, old: PanelView, view: PanelView) -> None:
        if old.heading != view.heading:
            self.refresh(Region(0, 0, self.size.width, 1))
        for index in self._seen(len(view.rows)):
            if old.rows[index].text != view.rows[index].text:
                self._refresh_row(index)

    def _seen(self, rows: int) -> range:
        """Return which of the rows are on the screen; the others are painted when they are scrolled to."""
        top = min(self.scroll_offset.y, rows)
        return range(top, min(top + self.frame_height + 1, rows))

    def _refresh_row(self, index: int) -> None:
        self.refresh_line(index + self._heading_lines)

    @property
    def _heading_lines(self) -> int:
        return 0 if self.view.heading is None else 1

    def render_line(self, y: int) -> Strip:
        """Return line `y` of the visible part; the heading stays while rows scroll."""
        if y < self._heading_lines and self.view.heading is not None:
            return self._strip(self.view.heading, self.rich_style)
        index = y - self._heading_lines + self.scroll_offset.y
        if index >= len(self.view.rows):
            return Strip.blank(self.size.width, self.rich_style)
        row = self.view.rows[index]
        under_cursor = self.has_focus and index == self.cursor and bool(row.key)
        base = self.rich_style + self._look.cursor if under_cursor else self.rich_style
        return self._strip(row.text, base)

    @property
    def _look(self) -> Look:
        look = getattr(self.app, "look", NIGHT)
        return look if isinstance(look, Look) else NIGHT

    def _strip(self, text: Text, base: Style) -> Strip:
        segments = list(text.render(self.app.console, end=""))
        if self.view.is_stale:
            segments = [Segment(text, faded(style, self._look.name)) for text, style, _ in segments]
        width = self.size.width
        strip = Strip(segments).crop_extend(0, width, None)
        return strip.apply_style(base)

    def watch_has_focus(self, _focused: bool) -> None:
        """Show or hide the cursor."""
        super().watch_has_focus(_focused)
        self._refresh_row(self.cursor)

    def action_move(self, step: int) -> None:
        """Move the cursor, or scroll where rows cannot be chosen."""
        if not any(row.key for row in self.view.rows):
            self.scroll_relative(y=step, animate=False)
            return
        self._go_to(self.cursor + step)

    def action_jump(self, index: int) -> None:
        """Go to the first or, with -1, the last row."""
        self._go_to(len(self.view.rows) - 1 if index < 0 else index)

    def action_turn(self, pages: int) -> None:
        """Move by pages."""
        self._go_to(self.cursor + pages * max(self.frame_height - 1, 1))

    @property
    def frame_height(self) -> int:
        """Rows visible at once."""
        return max(self.scrollable_content_region.height - self._heading_lines, 1)

    def _go_to(self, index: int) -> None:
        if not self.view.rows:
            return
        before, self.cursor = self.cursor, min(max(index, 0), len(self.view.rows) - 1)
        self._refresh_row(before)
        self._refresh_row(self.cursor)
        self.scroll_to_cursor()
        self.post_message(self.Moved(self, self.selected_key))

    def go_to_key(self, key: str) -> bool:
        """Put the cursor on the row with this key; return False when there is none."""
        keys = [row.key for row in self.view.rows]
        if key in keys:
            self._go_to(keys.index(key))
        return key in keys

    def scroll_to_cursor(self) -> None:
        """Scroll as little as it takes to see the cursor."""
        top, rows = self.scroll_offset.y, self.frame_height
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= top + rows:
            self.scroll_to(y=self.cursor - rows + 1, animate=False)

    def action_choose(self) -> None:
        """Open the row under the cursor."""
        self.post_message(self.Chosen(self, self.selected_key))

    def action_sort(self) -> None:
        """Sort by the next column, after the last one not at all."""
        if not self.view.columns:
            self.notify("this list has no columns to sort by", severity="warning")
            return
        self._arrange(self.how.next_column(len(self.view.columns)))

    def action_flip(self) -> None:
        """Sort in the other order."""
        if self.how.column != UNSORTED:
            self._arrange(replace(self.how, is_flipped=not self.how.is_flipped))

    def action_select(self) -> None:
        """Select the row under the cursor, or not any more, and go on to the next one."""
        if not self.is_multi or not self.selected_key:
            self.notify("nothing here takes several rows at once", severity="warning")
            return
        self._arrange(self.how.toggled(self.selected_key))
        self._go_to(self.cursor + 1)

    def on_click(self, event: Click) -> None:
        """Put the cursor where the mouse is; a second click opens."""
        offset = event.get_content_offset(self)
        if offset is None or offset.y < self._heading_lines:
            return
        self._go_to(offset.y - self._heading_lines + self.scroll_offset.y)
        if event.chain > 1:
            self.action_choose()


def plain_rows(lines: list[Text]) -> tuple[Row, ...]:
    """Return lines that cannot be chosen as rows."""
    return tuple(Row("", text) for text in lines)
