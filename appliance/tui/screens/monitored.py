"""Base of the pages that show what monitoring knows of the project."""

from __future__ import annotations

from textual import on

from appliance.domain.monitoring import Monitoring
from appliance.tui.messages import MonitoringRead
from appliance.tui.screens.page import Page
from appliance.tui.state import Failure

READ_SECONDS = 5.0


class MonitoredPage(Page):
    """Reads what monitoring knows now and then; subclasses say what they take from it."""

    IS_OF_PROJECT = True

    def on_mount(self) -> None:
        """Read now and then every few seconds."""
        super().on_mount()
        self.read()
        self.set_interval(READ_SECONDS, self.read)

    def read(self) -> None:
        """Ask for everything unless an answer is awaited or nobody looks."""
        project = self.appliance.board.project
        if self._is_reading or project is None or not self.is_current:
            return
        self._is_reading = True
        name, control = project.name, self.appliance.control
        self.ask(lambda: control.monitoring(name), MonitoringRead)

    def take(self, known: Monitoring | Failure) -> None:
        """Keep what was read, or why it could not be."""
        raise NotImplementedError

    @on(MonitoringRead)
    def _show_answer(self, message: MonitoringRead) -> None:
        if self.is_late(message):
            return
        self._is_reading = False
        self.take(message.known)
        self.show_again()
