"""An answer about a project or a time that is shown no more never reaches the screen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from appliance.control.recording.replay import ReplayRecording
from appliance.domain.candle import Candle
from appliance.domain.chart import ChartInfo
from appliance.domain.model_comparison import ModelComparison
from appliance.domain.model_version import ModelVersion
from appliance.domain.monitoring import Monitoring
from appliance.domain.workflow import DagRun, WorkflowKind
from appliance.tui.app import ApplianceApp
from appliance.tui.operations import promote_version
from appliance.tui.screens.candles import CandlesPage
from appliance.tui.screens.compare import ComparePage
from appliance.tui.screens.dashboard import Dashboard
from appliance.tui.screens.feature import FeaturePage
from appliance.tui.screens.history import HistoryPage
from appliance.tui.screens.modals import Dialog
from appliance.tui.screens.models import ModelsPage
from appliance.tui.screens.monitoring import MonitoringPage
from appliance.tui.screens.page import Page
from appliance.tui.screens.runs import RunsPage
from tests import builders
from tests.fakes.control import FakeControl
from tests.recorded import SECOND, three_moments
from tests.tui.conftest import loaded, until

OLD, NEW = builders.PROJECT, "eth_forecast"


class TwoProjects(FakeControl):
    """Two projects with versions of their own; answers about the first wait until they are let go."""

    def __init__(self) -> None:
        first = builders.project()
        super().__init__(builders.status(projects=(first, replace(first, name=NEW))))
        self.let_go = threading.Event()
        self.waiting = 0
        self.let_go.set()

    def _of(self, project: str) -> str:
        if project == OLD and not self.let_go.is_set():
            self.waiting += 1
            self.let_go.wait(20)
            self.waiting -= 1
        return project

    def models(self, project: str) -> list[ModelVersion]:
        return [replace(model, name=self._of(project)) for model in super().models(project)]

    def monitoring(self, project: str) -> Monitoring:
        known, report = super().monitoring(project), self.known_monitoring.report
        assert report is not None
        name = self._of(project)
        return replace(known, project=name, report=replace(report, project=name))

    def compare(self, project: str, first: int, second: int) -> ModelComparison:
        return replace(super().compare(project, first, second), project=self._of(project))

    def charts(self, project: str) -> list[ChartInfo]:
        return [replace(info, about=self._of(project)) for info in super().charts(project)]

    def dag_runs(self, project: str, kind: WorkflowKind, limit: int = 10) -> list[DagRun]:
        return [
            replace(run, dag_id=self._of(project)) for run in super().dag_runs(project, kind, limit)
        ]

    def candles_until(self, market: str, unit: int, end_at: datetime, count: int) -> list[Candle]:
        self._of(OLD)
        return super().candles_until(market, unit, end_at, count)


def _report(page: Any) -> object:
    return page.state.report and page.state.report.project


def _known(page: Any) -> object:
    return page.state.known and page.state.known.project


def _versions(page: Any) -> object:
    return page.state.models and page.state.models[0].name


def _infos(page: Any) -> object:
    return page.state.infos.value and page.state.infos.value[0].about


def _runs(page: Any) -> object:
    return page.state.runs and page.state.runs[0].dag_id


PAGES: list[tuple[Callable[[], Page], Callable[[Any], object]]] = [
    (FeaturePage, _report),
    (MonitoringPage, _known),
    (ModelsPage, _versions),
    (HistoryPage, _infos),
    (lambda: RunsPage(WorkflowKind.TRAIN), _runs),
    (lambda: ComparePage(OLD, 12, (13,)), _known),
]
NAMES = ["feature", "monitoring", "models", "history", "runs", "compare"]


@pytest.mark.parametrize(("make", "project"), PAGES, ids=NAMES)
async def test_a_page_follows_the_project_and_takes_no_answer_about_the_one_before(
    make: Callable[[], Page], project: Callable[[Any], object]
) -> None:
    control = TwoProjects()
    app = ApplianceApp(control, origin=builders.KIM)
    async with app.run_test(size=(120, 40)) as pilot:
        await loaded(pilot)
        control.let_go.clear()
        page = make()
        app.push_screen(page)
        await until(pilot, lambda: control.waiting)
        app.choose_project(NEW)
        await until(pilot, lambda: project(page) == NEW)
        control.let_go.set()
        await until(pilot, lambda: not control.waiting)
        await pilot.pause()
        assert project(page) == NEW


@pytest.mark.parametrize(("make", "project"), PAGES, ids=NAMES)
async def test_what_was_read_of_a_project_goes_when_another_is_chosen(
    make: Callable[[], Page], project: Callable[[Any], object]
) -> None:
    control = TwoProjects()
    app = ApplianceApp(control, origin=builders.KIM)
    async with app.run_test(size=(120, 40)) as pilot:
        await loaded(pilot)
        page = make()
        app.push_screen(page)
        await until(pilot, lambda: project(page) == OLD)
        control.released.clear()
        app.choose_project(NEW)
        assert project(page) is None
        control.released.set()
        await until(pilot, lambda: project(page) == NEW)


async def test_a_comparison_closes_where_the_other_project_has_no_pair() -> None:
    control = TwoProjects()
    first, second = control.snapshot.projects
    alone = replace(second, challenger=None, newest_version=12, previous_champion=None)
    control.snapshot = replace(control.snapshot, projects=(first, alone))
    app = ApplianceApp(control, origin=builders.KIM)
    async with app.run_test(size=(120, 40)) as pilot:
        await loaded(pilot)
        app.push_screen(ComparePage(OLD, 12, (13,)))
        await until(pilot, lambda: isinstance(app.screen, ComparePage))
        app.choose_project(NEW)
        await until(pilot, lambda: isinstance(app.screen, Dashboard))


async def test_versions_that_were_read_for_a_promotion_are_of_their_project_only() -> None:
    control = TwoProjects()
    app = ApplianceApp(control, origin=builders.KIM)
    async with app.run_test(size=(120, 40)) as pilot:
        await loaded(pilot)
        control.let_go.clear()
        promote_version(app, 13)
        await until(pilot, lambda: control.waiting)
        app.choose_project(NEW)
        control.let_go.set()
        await until(pilot, lambda: not control.waiting)
        await pilot.pause()
        assert not isinstance(app.screen, Dialog)


async def test_candles_are_of_the_time_that_is_shown(tmp_path: Path) -> None:
    three_moments(tmp_path)
    control = TwoProjects()
    control.closed = control.closed[-1:]
    app = ApplianceApp(control, recording=ReplayRecording(tmp_path, ""), origin=builders.KIM)
    async with app.run_test(size=(120, 40)) as pilot:
        await loaded(pilot)
        page = CandlesPage((builders.MARKET, 1), None, lambda _: [])
        app.push_screen(page)
        await until(pilot, lambda: page.state.candles == tuple(control.closed))
        app.go_to(SECOND)
        await until(pilot, lambda: app.board.past)
        await until(pilot, lambda: len(page.state.candles or ()) > 1)


async def test_a_time_that_was_asked_for_before_the_return_is_not_shown(
    tmp_path: Path,
) -> None:
    three_moments(tmp_path)
    app = ApplianceApp(FakeControl(), recording=ReplayRecording(tmp_path, ""))
    async with app.run_test(size=(120, 40)) as pilot:
        await loaded(pilot)
        app.go_to(SECOND)
        app.return_to_now()
        await until(pilot, lambda: not app.traveller.is_waiting)
        await pilot.pause()
        assert app.board.past is None
