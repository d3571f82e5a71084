"""Versions beside the one in production; promote and reject from here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal

from appliance.domain.model_comparison import ModelComparison
from appliance.domain.model_version import ModelVersion
from appliance.tui.messages import ComparisonRead
from appliance.tui.presentation import comparison
from appliance.tui.presentation.comparison import ComparisonState
from appliance.tui.screens.page import Page
from appliance.tui.state import Board, Failure
from appliance.tui.widgets.panel import Panel

READ_SECONDS = 15.0
"""The evidence grows by a row a candle, and a comparison reads all of them."""


class ComparePage(Page):
    """The verdict above; metrics and differences below."""

    AUTO_FOCUS = "#scores"
    IS_OF_PROJECT = True
    OWN_KEYS: ClassVar[Sequence[tuple[str, str]]] = (
        ("esc", "Back"),
        ("compare", "Other version"),
        ("reject", "Reject"),
    )

    def __init__(self, project: str, first: int, others: tuple[int, ...]) -> None:
        super().__init__()
        self.state = ComparisonState(project, first, others)
        self._project = project

    def compose_body(self) -> ComposeResult:
        """Place the three panels."""
        yield Panel(id="verdict")
        with Horizontal(id="body"):
            yield Panel(id="scores")
            yield Panel(id="differences")

    def on_mount(self) -> None:
        """Read now and then."""
        super().on_mount()
        self.read()
        self.set_interval(READ_SECONDS, self.read)

    @property
    def crumb(self) -> str:
        """The page and its pair."""
        return f"compare › v{self.state.second} beside v{self.state.first}"

    @property
    def chosen_versions(self) -> list[int]:
        """The version that is measured by the first."""
        return [self.state.second]

    @property
    def chosen(self) -> ModelVersion | None:
        """The version that is measured by the first, once it was read."""
        return self.state.known.second if self.state.known else None

    def show_board(self, board: Board, now: datetime) -> None:
        """Show the three panels."""
        self.panel("verdict").show(partial(comparison.present_verdict, self.state), now)
        self.panel("scores").show(partial(comparison.present_scores, self.state), now)
        self.panel("differences").show(partial(comparison.present_differences, self.state), now)
        super().show_board(board, now)

    def show_version(self, version: int | None = None) -> None:
        """Show the next of the versions, or `version` in their place."""
        others = (version,) if version is not None else self.state.others
        index = 0 if version is not None else (self.state.index + 1) % len(others)
        self.state = ComparisonState(self.state.project, self.state.first, others, index)
        self.show_again()
        self.read()

    def change_project(self) -> None:
        """Show a pair of the project that is shown now; leave where it has none."""
        project = self.appliance.board.project
        if project is None:
            return
        found = comparison.choose_versions(project, [])
        if isinstance(found, str):
            self.notify(found, title="Compare versions: not now", severity="warning")
            self.app.call_later(self.appliance.go_home)
            return
        self.state = ComparisonState(project.name, *found)
        self.start_over()

    def forget(self) -> None:
        """Forget what was read."""
        self.state = replace(self.state, known=None, failure=None)

    def read(self) -> None:
        """Ask for the comparison unless an answer is awaited or nobody looks."""
        if self._is_reading or not self.is_current:
            return
        self._is_reading = True
        state, control = self.state, self.appliance.control
        pair = (state.project, state.first, state.second)
        self.ask(lambda: control.compare(*pair), partial(_answer, pair[1:]))

    @on(ComparisonRead)
    def _show_comparison(self, message: ComparisonRead) -> None:
        if self.is_late(message):
            return
        self._is_reading = False
        if message.versions != (self.state.first, self.state.second):
            self.read()
            return
        if isinstance(message.comparison, Failure):
            self.state = replace(self.state, failure=message.comparison)
        else:
            self.state = replace(self.state, known=message.comparison, failure=None)
        self.show_again()


def _answer(versions: tuple[int, int], found: ModelComparison | Failure) -> ComparisonRead:
    return ComparisonRead(versions, found)
