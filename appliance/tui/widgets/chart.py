"""The panel of a chart over time: keys and mouse become requests to move its cursor and its window."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.message import Message

from appliance.tui.presentation.chart_window import Step
from appliance.tui.widgets.panel import Panel


class ChartPanel(Panel):
    """A chart; what it shows is up to the page, which hears of every step."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step('cursor', -1)", "Back", show=False),
        Binding("right", "step('cursor', 1)", "On", show=False),
        Binding("shift+left,pageup,ctrl+u", "step('pan', -0.5)", "Earlier", show=False),
        Binding("shift+right,pagedown,ctrl+d,space", "step('pan', 0.5)", "Later", show=False),
        Binding("plus,equals_sign", "step('zoom', 1)", "Closer", show=False),
        Binding("minus", "step('zoom', -1)", "Farther", show=False),
        Binding("j,down", "step('event', 1)", "Next event", show=False),
        Binding("k,up", "step('event', -1)", "Event before", show=False),
        Binding("g,home", "step('end', -1)", "Oldest", show=False),
        Binding("G,end", "step('end', 1)", "Newest", show=False),
    ]

    class Stepped(Message):
        """The operator wants to see another part of the chart."""

        def __init__(self, panel: ChartPanel, step: Step, amount: float) -> None:
            super().__init__()
            self.panel = panel
            self.step = step
            self.amount = amount

        @property
        def control(self) -> ChartPanel:
            """The panel, for handlers that select by it."""
            return self.panel

    def action_step(self, step: str, amount: float) -> None:
        """Ask for a step."""
        self.post_message(self.Stepped(self, Step(step), amount))

    def on_click(self, event: Click) -> None:
        """Put the cursor where the mouse is; a second click opens the event there."""
        event.prevent_default()
        offset = event.get_content_offset(self)
        if offset is None:
            return
        self.action_step(Step.PLACE, offset.x)
        if event.chain > 1:
            self.action_choose()

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Zoom in."""
        event.stop()
        event.prevent_default()
        self.action_step(Step.ZOOM, 1)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Zoom out."""
        event.stop()
        event.prevent_default()
        self.action_step(Step.ZOOM, -1)


class LinesPanel(Panel):
    """The lines of a chart; space shows or hides the one under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "choose", "Show or hide", show=False)]
