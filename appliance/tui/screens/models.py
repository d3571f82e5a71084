"""All versions with their metrics; promote from here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from appliance.domain.model_version import ModelVersion
from appliance.tui.messages import ModelsRead
from appliance.tui.presentation import models
from appliance.tui.screens.page import Page
from appliance.tui.state import Board, Failure
from appliance.tui.widgets.panel import Panel

READ_SECONDS = 5.0


class ModelsPage(Page):
    """The table of versions and the chosen one's detail."""

    AUTO_FOCUS = "#models"
    CRUMB = "models"
    IS_OF_PROJECT = True
    OWN_KEYS: ClassVar[Sequence[tuple[str, str]]] = (("esc", "Back"), ("/", "Filter"))

    def __init__(self, version: int | None = None) -> None:
        """Show all versions; with `version`, the cursor begins there."""
        super().__init__()
        self._wanted = version
        self.state = models.ModelsState("")

    def compose_body(self) -> ComposeResult:
        """Place table and detail."""
        yield Panel(id="models", is_multi=True)
        yield Panel(id="detail")

    def on_mount(self) -> None:
        """Read now and then every few seconds."""
        super().on_mount()
        self.read()
        self.set_interval(READ_SECONDS, self.read)

    @property
    def crumb(self) -> str:
        """The page and the version under the cursor."""
        return f"models › v{self.chosen.version}" if self.chosen else "models"

    @property
    def chosen(self) -> ModelVersion | None:
        """The version under the cursor."""
        key = self.panel("models").selected_key
        known = self.state.models or ()
        return next((model for model in known if str(model.version) == key), None)

    @property
    def chosen_versions(self) -> list[int]:
        """The selected versions; without a selection the one under the cursor."""
        return [int(key) for key in self.panel("models").selected_keys]

    def show_board(self, board: Board, now: datetime) -> None:
        """Show table and detail."""
        self.panel("models").show(partial(models.present, self.state), now)
        self.panel("detail").show(partial(models.detail, self.chosen), now)
        super().show_board(board, now)

    def forget(self) -> None:
        """Forget what was read."""
        self.state = models.ModelsState(self.state.project)

    def read(self) -> None:
        """Ask for the versions unless an answer is awaited."""
        project = self.appliance.board.project
        if self._is_reading or project is None:
            return
        self._is_reading = True
        name, control = project.name, self.appliance.control
        self.state = replace(self.state, project=name)
        self.ask(lambda: control.models(name), answer)

    @on(ModelsRead)
    def _show_models(self, message: ModelsRead) -> None:
        if self.is_late(message):
            return
        self._is_reading = False
        if isinstance(message.models, Failure):
            self.state = replace(self.state, failure=message.models)
        else:
            self.state = replace(self.state, models=message.models, failure=None)
        self.show_again()
        self._go_to_wanted()

    def _go_to_wanted(self) -> None:
        """Put the cursor on the version that was asked for, once it can be seen whether there is one."""
        if self._wanted is None or self.state.models is None:
            return
        if not self.panel("models").go_to_key(str(self._wanted)):
            self.notify(f"there is no v{self._wanted}", severity="warning")
        self._wanted = None

    @on(Panel.Moved, "#models")
    def _show_detail(self) -> None:
        self.show_again()

    @on(Panel.Chosen, "#models")
    def _open_detail(self) -> None:
        self.panel("detail").focus()


def answer(found: list[ModelVersion] | Failure) -> ModelsRead:
    """Return the message that carries versions or the failure."""
    return ModelsRead(found if isinstance(found, Failure) else tuple(found))
