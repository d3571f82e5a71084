"""Dialogs: read, confirm, type a challenge, pick a row, compose a workflow run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar, TypeVar

from rich.console import RenderableType
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.events import Resize
from textual.renderables.background_screen import BackgroundScreen
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from appliance.domain.workflow import WorkflowKind
from appliance.tui.background import ask, now_of
from appliance.tui.messages import EvidenceRead
from appliance.tui.presentation.formats import clip, line
from appliance.tui.presentation.view import Frame, PanelView, Row
from appliance.tui.presentation.workflows import PURPOSE
from appliance.tui.screens.filtering import FilterScreen
from appliance.tui.state import Failure
from appliance.tui.widgets.bars import KeyBar
from appliance.tui.widgets.dimmed import DimmedScreen
from appliance.tui.widgets.field import Field
from appliance.tui.widgets.panel import Panel, Present, plain_rows

T = TypeVar("T")

Page = Callable[[Frame], Sequence[Text]]


class Dialog(FilterScreen[T], ModalScreen[T]):
    """A box over the page, with a title and a line that says which keys it takes."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel", show=False)]
    TITLE_TEXT = ""
    HAS_LIST = False
    OTHER_LINES = 8
    """Most lines of a dialog besides its list: frame, fields, keys."""
    KEYS: ClassVar[Sequence[tuple[str, str]]] = (("esc", "cancel"),)

    def compose(self) -> ComposeResult:
        """Place the body in the box."""
        with Vertical(id="box") as box:
            box.border_title = line((self.TITLE_TEXT, "title"))
            yield from self.compose_body()
            if self.HAS_LIST:
                yield self.filter_field()
            yield KeyBar(id="dialog-keys")

    def render(self) -> RenderableType:
        """Return the page below, dimmed."""
        below = super().render()
        return (
            DimmedScreen(below.screen, below.color)
            if isinstance(below, BackgroundScreen)
            else below
        )

    def compose_body(self) -> ComposeResult:
        """Place the dialog's own parts."""
        raise NotImplementedError

    def _keys(self) -> Text:
        return line(*(pair for key, label in self.KEYS for pair in _pair(key, label)))

    @on(Panel.Arranged)
    def _say_arrangement(self, message: Panel.Arranged) -> None:
        """Say in the box's frame what panels without a frame say in their titles."""
        self.query_one("#box").border_subtitle = message.panel.view.title

    def on_resize(self, event: Resize) -> None:
        """Leave room for what asks and for the keys, whatever the list has."""
        panels = list(self.query(Panel))
        for panel in panels if len(panels) == 1 else ():
            panel.styles.max_height = max(event.size.height - self.OTHER_LINES, 3)

    def on_mount(self) -> None:
        """Show the keys; subclasses do more."""
        self.query_one("#dialog-keys", KeyBar).show(lambda _: (self._keys(),), now_of(self))

    def action_cancel(self) -> None:
        """Show all rows again when they are filtered; otherwise leave without doing anything."""
        if not self.clear_filter():
            self.dismiss(None)


def _pair(key: str, label: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return ((f" {key} ", "key"), (f"{label}  ", "muted"))


class ReadModal(Dialog[None]):
    """A page to read."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,enter", "cancel", "Close", show=False)]
    KEYS = (("esc", "close"), ("j k", "scroll"), ("/", "filter"))
    HAS_LIST = True

    def __init__(self, title: str, page: Page) -> None:
        super().__init__(classes="-large")
        self.TITLE_TEXT = title
        self._page = page

    def compose_body(self) -> ComposeResult:
        """Place the page."""
        yield Panel(id="page")

    def on_mount(self) -> None:
        """Show the page."""
        page = self._page
        view: Present = lambda frame: PanelView(  # noqa: E731
            line(), plain_rows(list(page(frame))), is_text=True
        )
        self.query_one("#page", Panel).show(view, now_of(self))


class ConfirmModal(Dialog[bool]):
    """A question whose answer is yes or no; no is the default."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "Yes", show=False),
        Binding("n,enter", "cancel", "No", show=False),
    ]
    KEYS = (("y", "yes"), ("n", "no"))

    def __init__(self, title: str, lines: Sequence[Text]) -> None:
        super().__init__()
        self.TITLE_TEXT = title
        self._lines = tuple(lines)

    def compose_body(self) -> ComposeResult:
        """Place the question."""
        yield Static(Text("\n").join(self._lines), classes="words")

    def action_yes(self) -> None:
        """Do it."""
        self.dismiss(True)


class ChallengeModal(Dialog[bool]):
    """Asks to type `expected` before the production model changes."""

    AUTO_FOCUS = "#challenge"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "read(-1)", "Scroll up", show=False),
        Binding("down", "read(1)", "Scroll down", show=False),
    ]
    KEYS = (("enter", "confirm"), ("↑ ↓", "read"), ("esc", "cancel"))

    def __init__(
        self,
        title: str,
        lines: Sequence[Text],
        expected: str,
        evidence: Callable[[], Sequence[str]] | None = None,
    ) -> None:
        super().__init__()
        self.TITLE_TEXT = title
        self._lines = tuple(lines)
        self.expected = expected
        self._evidence = evidence

    def compose_body(self) -> ComposeResult:
        """Place the words and the field."""
        request = line("Type ", (self.expected, "strong"), " and press enter:")
        with VerticalScroll(id="evidence", can_focus=False):
            yield Static(Text("\n").join(self._lines), classes="words")
            yield Static(line(("the gate's verdict is read …", "muted")), id="pair-verdict")
        yield Static(request, classes="words")
        yield Field(id="challenge")
        yield Static("", id="wrong")

    def on_mount(self) -> None:
        """Ask for the evidence; the words are there before it."""
        if self._evidence is None:
            self.query_one("#pair-verdict", Static).display = False
        else:
            ask(self, self._evidence, EvidenceRead)

    def action_read(self, step: int) -> None:
        """Scroll the words where they do not fit."""
        self.query_one("#evidence", VerticalScroll).scroll_relative(y=step, animate=False)

    @on(EvidenceRead)
    def _show_evidence(self, message: EvidenceRead) -> None:
        found = message.sentences
        sentences = [found.message] if isinstance(found, Failure) else found
        self.query_one("#pair-verdict", Static).update(Text("\n").join(map(line, sentences)))

    @on(Input.Submitted, "#challenge")
    def _compare(self, event: Input.Submitted) -> None:
        typed = event.value.strip().removeprefix("v")
        if typed == self.expected:
            self.dismiss(True)
            return
        wrong = (
            f"✖ that is not {self.expected}; nothing has changed" if typed else "✖ type the number"
        )
        self.query_one("#wrong", Static).update(line((wrong, "bad")))


class PickModal(Dialog[str]):
    """A list to choose one row from; `view` may change while it is open."""

    KEYS = (("enter", "choose"), ("j k", "move"), ("/", "filter"), ("esc", "cancel"))
    HAS_LIST = True

    def __init__(self, title: str, view: Present, cursor: int = 0) -> None:
        super().__init__()
        self.TITLE_TEXT = title
        self._view = view
        self._cursor = cursor

    def compose_body(self) -> ComposeResult:
        """Place the list."""
        yield Panel(id="choices")

    def on_mount(self) -> None:
        """Show the list with the cursor where the page's was."""
        panel = self.query_one("#choices", Panel)
        panel.cursor = self._cursor
        self.show_view(self._view)
        panel.scroll_to_cursor()
        self.set_interval(1.0, lambda: self.show_view(self._view))

    def show_view(self, view: Present) -> None:
        """Show other choices, or the same ones as of now."""
        self._view = view
        self.query_one("#choices", Panel).show(view, now_of(self))

    @on(Panel.Chosen)
    def _choose(self, chosen: Panel.Chosen) -> None:
        if chosen.key:
            self.dismiss(chosen.key)


class PickSeveralModal(Dialog[list[str]]):
    """A list to choose one or several rows from: space selects, enter takes them."""

    KEYS = (("enter", "choose"), ("space", "select"), ("/", "filter"), ("esc", "cancel"))
    HAS_LIST = True

    def __init__(self, title: str, view: Present, cursor: int = 0) -> None:
        super().__init__()
        self.TITLE_TEXT = title
        self._view = view
        self._cursor = cursor

    def compose_body(self) -> ComposeResult:
        """Place the list."""
        yield Panel(id="choices", is_multi=True)

    def on_mount(self) -> None:
        """Show the list with the cursor where the page's was."""
        panel = self.query_one("#choices", Panel)
        panel.cursor = self._cursor
        panel.show(self._view, now_of(self))
        panel.scroll_to_cursor()

    @on(Panel.Chosen)
    def _choose(self, chosen: Panel.Chosen) -> None:
        if chosen.key or chosen.panel.how.selected:
            self.dismiss(chosen.panel.selected_keys)


class RunModal(Dialog[tuple[WorkflowKind, str]]):
    """Chooses a workflow and its parameters, written `name=value`, separated by spaces."""

    AUTO_FOCUS = "#choices"
    KEYS = (("enter", "run"), ("tab", "parameters"), ("esc", "cancel"))
    TITLE_TEXT = "Run a workflow"

    def compose_body(self) -> ComposeResult:
        """Place the four workflows and the parameters' field."""
        yield Panel(id="choices")
        yield Field(id="params", placeholder="parameters: name=value …")

    def on_mount(self) -> None:
        """Show the four workflows."""
        self.query_one("#choices", Panel).show(partial(_kinds), now_of(self))

    @on(Panel.Chosen)
    @on(Input.Submitted, "#params")
    def _run(self) -> None:
        kind = WorkflowKind(self.query_one("#choices", Panel).selected_key)
        self.dismiss((kind, self.query_one("#params", Input).value))


def _kinds(frame: Frame) -> PanelView:
    rows = tuple(
        Row(
            kind.value,
            line(
                (f" {kind.value:<12}", "strong"),
                (clip(PURPOSE[kind], max(frame.width - 13, 1)), "muted"),
            ),
        )
        for kind in WorkflowKind
    )
    return PanelView(line(), rows)
