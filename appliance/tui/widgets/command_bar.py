"""The command line: completions above, history on the arrows, tab completes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from appliance import clock
from appliance.tui.presentation.command_line import SHOWN, Completion
from appliance.tui.presentation.view import Frame
from appliance.tui.widgets.bars import Lines
from appliance.tui.widgets.field import Field

Show = Callable[[str, Frame], Sequence[Text]]
Complete = Callable[[str], list[Completion]]


class CommandField(Field):
    """The line itself."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete", show=False),
        Binding("up,ctrl+p", "recall(-1)", "Earlier", show=False),
        Binding("down,ctrl+n", "recall(1)", "Later", show=False),
        Binding("escape", "leave", "Leave", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(id="command", placeholder="a command; tab completes, ↑ recalls")
        self.bar: CommandBar

    def action_complete(self) -> None:
        """Take the first completion, or the next one when it has been taken."""
        self.bar.complete()

    def action_recall(self, step: int) -> None:
        """Go through the history."""
        self.bar.recall(step)

    def action_leave(self) -> None:
        """Close the line."""
        self.bar.close()


class CommandBar(Vertical):
    """Field and completions; posts `Entered` and knows nothing of what commands do."""

    class Entered(Message):
        """The operator entered a command."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, show: Show, complete: Complete) -> None:
        super().__init__(id="command-bar")
        self._show, self._complete = show, complete
        self.history: list[str] = []
        self._at = 0
        self._begun: list[Completion] = []
        self._before: Widget | None = None

    def compose(self) -> ComposeResult:
        """Place completions and field."""
        yield Lines(id="completions", max_lines=SHOWN + 1, short_lines=SHOWN + 1)
        field = CommandField()
        field.bar = self
        yield field

    @property
    def field(self) -> CommandField:
        """The input line."""
        return self.query_one(CommandField)

    def open(self, history: list[str], text: str = "") -> None:
        """Show the line, with what was entered before to go back to."""
        self.history, self._at, self._begun = history, len(history), []
        self._before = self.screen.focused
        self.display = True
        self.field.value = text
        self.field.focus()
        self._show_completions(text)

    def close(self) -> None:
        """Hide the line; the focus goes back to where it was."""
        self.display = False
        self.field.value = ""
        self.screen.set_focus(self._before)

    def complete(self) -> None:
        """Put the first completion into the line; again, the one after it."""
        lines = [each.line for each in self._begun]
        if self.field.value.rstrip() in lines and len(lines) > 1:
            chosen = lines[(lines.index(self.field.value.rstrip()) + 1) % len(lines)]
        else:
            self._begun = self._complete(self.field.value)
            if not self._begun:
                return
            chosen = self._begun[0].line
        self._put(chosen if len(self._begun) > 1 else f"{chosen} ")

    def recall(self, step: int) -> None:
        """Put an earlier (-1) or later (1) line of the history into the field."""
        self._at = min(max(self._at + step, 0), len(self.history))
        self._put(self.history[self._at] if self._at < len(self.history) else "")

    def _put(self, text: str) -> None:
        self.field.value = text
        self.field.cursor_position = len(text)

    @on(Input.Changed, "#command")
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self._show_completions(event.value)

    def _show_completions(self, text: str) -> None:
        self.query_one(Lines).show(lambda frame: self._show(text, frame), clock.now())

    @on(Input.Submitted, "#command")
    def _enter(self, event: Input.Submitted) -> None:
        event.stop()
        text = event.value.strip()
        self.close()
        if text:
            self.post_message(self.Entered(text))
