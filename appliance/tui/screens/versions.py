"""The dialog that chooses which version to promote."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from textual import on
from textual.app import ComposeResult

from appliance.domain.model_version import ModelVersion
from appliance.tui.background import ask, now_of
from appliance.tui.messages import ModelsRead
from appliance.tui.presentation import models
from appliance.tui.presentation.formats import line
from appliance.tui.presentation.view import Frame, PanelView
from appliance.tui.screens.modals import Dialog
from appliance.tui.state import Failure
from appliance.tui.widgets.panel import Panel


class VersionModal(Dialog[ModelVersion]):
    """Lists the versions that are not in production; the challenger or the newest is proposed."""

    TITLE_TEXT = "Promote which version?"
    KEYS = (("enter", "choose"), ("j k", "move"), ("/", "filter"), (".", "sort"), ("esc", "cancel"))
    HAS_LIST = True

    def __init__(
        self,
        project: str,
        proposed: int | None,
        read: Callable[[], list[ModelVersion]],
        title: str = "",
    ) -> None:
        """Make the dialog; `title` asks something else than which to promote."""
        super().__init__(classes="-large")
        self.TITLE_TEXT = title or self.TITLE_TEXT
        self._state = models.ModelsState(project)
        self._proposed = str(proposed or "")
        self._read_models = read

    def compose_body(self) -> ComposeResult:
        """Place the list."""
        yield Panel(id="choices")

    def on_mount(self) -> None:
        """Say that the versions are on their way, and ask for them."""
        self._show()
        ask(self, self._read_models, _answer)

    @on(ModelsRead)
    def _show_models(self, message: ModelsRead) -> None:
        if isinstance(message.models, Failure):
            self._state = models.ModelsState(self._state.project, failure=message.models)
        else:
            others = tuple(model for model in message.models if not model.is_champion)
            self._state = models.ModelsState(self._state.project, others)
            versions = [str(model.version) for model in others]
            if self._proposed in versions:
                self.query_one("#choices", Panel).cursor = versions.index(self._proposed)
        self._show()

    def _show(self) -> None:
        self.query_one("#choices", Panel).show(partial(_view, self._state), now_of(self))

    @on(Panel.Chosen)
    def _choose(self, chosen: Panel.Chosen) -> None:
        known = self._state.models or ()
        found = next((model for model in known if str(model.version) == chosen.key), None)
        if found is not None:
            self.dismiss(found)


def _answer(found: list[ModelVersion] | Failure) -> ModelsRead:
    return ModelsRead(found if isinstance(found, Failure) else tuple(found))


def _view(state: models.ModelsState, frame: Frame) -> PanelView:
    return replace(models.present(state, frame), title=line())
