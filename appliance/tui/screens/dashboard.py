"""The one dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from appliance.domain.workflow import WorkflowKind
from appliance.tui.log_sources import ServiceLog
from appliance.tui.presentation import drift, events, market, model, services, workflows
from appliance.tui.presentation.why_model import is_unwell
from appliance.tui.screens.event import open_event
from appliance.tui.screens.feature import FeaturePage
from appliance.tui.screens.logs import LogsPage
from appliance.tui.screens.models import ModelsPage
from appliance.tui.screens.monitoring import MonitoringPage
from appliance.tui.screens.page import Page
from appliance.tui.screens.runs import RunsPage
from appliance.tui.state import Board
from appliance.tui.widgets.panel import Panel, Present


class Dashboard(Page):
    """Everything at a glance; enter drills down."""

    AUTO_FOCUS = "#services"
    OWN_KEYS: ClassVar[Sequence[tuple[str, str]]] = ()

    def compose_body(self) -> ComposeResult:
        """Place two columns of panels."""
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield Panel(id="market")
                yield Panel(id="workflows")
                yield Panel(id="events")
            with Vertical(id="right"):
                yield Panel(id="services", is_multi=True)
                yield Panel(id="model")
                yield Panel(id="drift")

    def show_board(self, board: Board, now: datetime) -> None:
        """Show `board` in every panel."""
        super().show_board(board, now)
        presents: dict[str, Present] = {
            "market": partial(market.present, board),
            "workflows": partial(workflows.present, board),
            "events": partial(events.present, board),
            "services": partial(services.present, board),
            "model": partial(model.present, board),
            "drift": partial(drift.present, board),
        }
        for name, present in presents.items():
            self.panel(name).show(present, now)

    def filtered_panel(self) -> Panel | None:
        """The filter narrows the list in focus, the event feed where there is none."""
        focused = self.focused
        is_list = isinstance(focused, Panel) and focused.view.is_list
        return super().filtered_panel() if is_list else self.panel("events")

    @on(Panel.Chosen, "#services")
    def _open_log(self, chosen: Panel.Chosen) -> None:
        self.app.push_screen(LogsPage(ServiceLog(chosen.key)))

    @on(Panel.Chosen, "#workflows")
    def _open_runs(self, chosen: Panel.Chosen) -> None:
        if chosen.key:
            self.app.push_screen(RunsPage(WorkflowKind(chosen.key)))

    @on(Panel.Chosen, "#model")
    def _open_model(self) -> None:
        """Say why the model is not well; the versions where it is."""
        project = self.appliance.board.project
        if project is not None and is_unwell(project, self.appliance.board):
            self.app.push_screen(MonitoringPage(asks_why=True))
        else:
            self.app.push_screen(ModelsPage())

    @on(Panel.Chosen, "#drift")
    def _open_feature(self, chosen: Panel.Chosen) -> None:
        if chosen.key:
            self.app.push_screen(FeaturePage(chosen.key))
        else:
            self.appliance.run_operation("monitoring")

    @on(Panel.Chosen, "#market")
    def _zoom(self) -> None:
        self.appliance.run_operation("zoom")

    @on(Panel.Chosen, "#events")
    def _open_event(self, chosen: Panel.Chosen) -> None:
        known = self.appliance.board.events.value or ()
        event = next((event for event in known if str(event.id) == chosen.key), None)
        if event is not None:
            open_event(self.appliance, event)
