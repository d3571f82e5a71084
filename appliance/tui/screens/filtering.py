"""The filter line: `/` narrows the list in focus, on every page and in every dialog."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.screen import Screen, ScreenResultType
from textual.widgets import Input

from appliance.tui.presentation import filters
from appliance.tui.widgets.bars import TALL_FROM
from appliance.tui.widgets.field import Field
from appliance.tui.widgets.panel import Panel


class FilterScreen(Screen[ScreenResultType]):
    """Base of pages and dialogs; subclasses place `filter_field()` among their parts."""

    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (72, "-narrow"), (110, "-wide"), (160, "-huge")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (TALL_FROM, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [Binding("slash", "filter", "Filter", show=False)]
    _narrowed: Panel | None = None

    def filter_field(self) -> Field:
        """Return the line that takes the filter; hidden until it is asked for."""
        return Field(id="filter", placeholder=f"filter: {filters.HELP}")

    def filtered_panel(self) -> Panel | None:
        """Return the panel that a filter narrows: the one in focus when it holds a list, else the first."""
        lists = [panel for panel in self.query(Panel) if panel.view.is_list]
        return next((panel for panel in lists if panel.has_focus), next(iter(lists), None))

    def narrow(self, panel: Panel, needle: str) -> None:
        """Keep only what matches in `panel`; a page that filters by itself does it here."""
        panel.filter(needle)

    def action_filter(self) -> None:
        """Open the filter line on the filter that the list has."""
        self._narrowed = panel = self.filtered_panel()
        field = self._field
        if panel is None or field is None:
            self.notify("there is no list to filter", severity="warning")
            return
        field.value = panel.how.needle
        field.display = True
        field.focus()

    def clear_filter(self) -> bool:
        """Close the filter line and show all rows again; return False when nothing was filtered."""
        field = self._field
        filtered = [panel for panel in self.query(Panel) if panel.how.needle]
        panel = next((p for p in filtered if p.has_focus), next(iter(filtered), None))
        if field is not None and field.display:
            panel = panel or self._narrowed
            field.value = ""
        elif panel is None:
            return False
        if panel is not None:
            self.narrow(panel, "")
            self._close_filter(panel)
        return True

    @on(Input.Changed, "#filter")
    def _narrow(self, event: Input.Changed) -> None:
        event.stop()
        if self._narrowed is not None and event.input.display:
            self.narrow(self._narrowed, event.value.strip())

    @on(Input.Submitted, "#filter")
    def _keep_filter(self, event: Input.Submitted) -> None:
        event.stop()
        if self._narrowed is not None:
            self._close_filter(self._narrowed)

    def _close_filter(self, panel: Panel) -> None:
        if self._field is not None:
            self._field.display = False
        panel.focus()

    @property
    def _field(self) -> Input | None:
        """The filter line; None in a dialog without a list."""
        return next(iter(self.query("#filter").results(Input)), None)
