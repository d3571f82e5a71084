"""The log screen under an operator's keys: filter, levels, matches, and logs longer than what is held."""

from __future__ import annotations

from datetime import timedelta

import pytest
from textual.pilot import Pilot

from appliance.domain.log import LogLevel
from appliance.domain.workflow import WorkflowKind
from appliance.errors import StoreUnavailable
from appliance.tui.app import ApplianceApp
from appliance.tui.log_sources import AtError, AtTime, ServiceLog, TaskLog
from appliance.tui.presentation.logs import MOST_LINES
from appliance.tui.screens.logs import LogsPage
from appliance.tui.widgets.log_panel import LogPanel
from tests import builders
from tests.fakes.control import FakeControl
from tests.tui.conftest import loaded, until

SIZES = [(80, 24), (120, 40)]
LONG = 5000
NEEDLES = (10, 4321)


def long_log(name: str) -> list[str]:
    """Return a log that is longer than what a screen holds, with two lines to look for."""
    lines = [f"2026-03-14T05:00:00Z INFO {name}: n={number:04d}" for number in range(LONG)]
    for number in NEEDLES:
        lines[number] = f"2026-03-14T05:00:00Z INFO {name}: needle n={number:04d}"
    lines[20] = f"2026-03-14T05:00:00Z WARNING {name}: n=0020"
    return lines


@pytest.fixture
def long_control(control: FakeControl) -> FakeControl:
    control.service_lines = long_log
    return control


def panel(app: ApplianceApp) -> LogPanel:
    return app.screen.query_one("#log", LogPanel)


def screen(app: ApplianceApp) -> LogsPage:
    assert isinstance(app.screen, LogsPage)
    return app.screen


def under_cursor(app: ApplianceApp) -> str:
    return panel(app).view.rows[panel(app).cursor].text.plain


def is_visible(app: ApplianceApp) -> bool:
    """Whether the line under the cursor is on the screen."""
    shown = panel(app)
    return 0 <= shown.cursor - shown.scroll_offset.y < shown.frame_height


def shown(app: ApplianceApp) -> str:
    return "\n".join(row.text.plain for row in panel(app).view.rows)


def title(app: ApplianceApp) -> str:
    return panel(app).view.title.plain


async def opened(pilot: Pilot[int], app: ApplianceApp, page: LogsPage | None = None) -> None:
    await loaded(pilot)
    if page is None:
        await pilot.press("l")
    else:
        app.push_screen(page)
    await until(pilot, lambda: app.screen.query("#log") and len(panel(app).view.rows) > 1)


@pytest.mark.parametrize("size", SIZES)
async def test_the_whole_of_a_long_log_can_be_reached(
    app: ApplianceApp, long_control: FakeControl, size: tuple[int, int]
) -> None:
    del long_control
    async with app.run_test(size=size) as pilot:
        await opened(pilot, app)
        assert "n=4999" in under_cursor(app)
        assert "following" in title(app)
        await pilot.press("pageup", "pageup", "pageup")
        await until(pilot, lambda: "held" in title(app))
        assert is_visible(app)
        first = screen(app).state.lines[0].at
        panel(app).cursor = 15
        await pilot.press("k")
        await until(pilot, lambda: screen(app).state.lines[0].at < first)
        await pilot.press("g")
        await until(pilot, lambda: "n=0000" in under_cursor(app))
        assert is_visible(app)
        await pilot.press("G")
        await until(pilot, lambda: "n=4999" in under_cursor(app))
        assert len(screen(app).state.lines) <= MOST_LINES


async def test_earlier_lines_come_without_moving_what_is_read(
    app: ApplianceApp, long_control: FakeControl
) -> None:
    del long_control
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        held = len(screen(app).state.lines)
        panel(app).cursor = 15
        await pilot.press("k")
        line = under_cursor(app)
        await until(pilot, lambda: len(screen(app).state.lines) > held)
        await pilot.pause()
        assert under_cursor(app) == line
        assert is_visible(app)


async def test_next_and_previous_match_go_beyond_what_is_held(
    app: ApplianceApp, long_control: FakeControl
) -> None:
    del long_control
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        await pilot.press("slash", *"needle", "enter")
        await until(pilot, lambda: "/needle" in title(app))
        await until(pilot, lambda: "n=0010" in shown(app) and "n=4321" in shown(app))
        assert "n=4319" in shown(app), "two lines of context"
        assert "n=4300" not in shown(app)
        await pilot.press("escape")
        await until(pilot, lambda: "n=4999" in under_cursor(app))
        await pilot.press("N")
        await until(pilot, lambda: "needle n=4321" in under_cursor(app))
        await pilot.press("N")
        await until(pilot, lambda: "needle n=0010" in under_cursor(app))
        assert is_visible(app)
        await pilot.press("n")
        await until(pilot, lambda: "needle n=4321" in under_cursor(app))
        await pilot.press("n")
        await until(pilot, lambda: "no further match" in title(app))


async def test_without_a_filter_n_finds_the_next_warning(
    app: ApplianceApp, long_control: FakeControl
) -> None:
    del long_control
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        await pilot.press("N")
        await until(pilot, lambda: "WARNING" in under_cursor(app))
        assert "held" in title(app)


async def test_levels_are_filtered_over_the_whole_log(
    app: ApplianceApp, long_control: FakeControl
) -> None:
    del long_control
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        await pilot.press("L")
        await until(pilot, lambda: len(screen(app).state.lines) == 1)
        assert "WARNING" in shown(app)
        assert "warnings and errors" in title(app)
        await pilot.press("L")
        await until(pilot, lambda: "no errors" in shown(app))
        await pilot.press("L")
        await until(pilot, lambda: "n=4999" in shown(app))
        assert screen(app).state.level is LogLevel.DEBUG


async def test_new_lines_are_followed_and_a_rotated_log_is_begun_anew(
    app: ApplianceApp, control: FakeControl
) -> None:
    lines = ["2026-03-14T05:00:00Z INFO first"] * 50
    control.service_lines = lambda _: lines
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        lines.append("2026-03-14T05:00:01Z INFO second")
        await until(pilot, lambda: "second" in under_cursor(app))
        lines[:] = ["2026-03-14T05:00:02Z INFO third"]
        await until(pilot, lambda: "third" in shown(app) and "first" not in shown(app))


async def test_a_task_log_opens_at_its_failing_line(app: ApplianceApp) -> None:
    log = TaskLog("crypto_forecast", WorkflowKind.TRAIN, "manual__1", "evaluate_model")
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app, LogsPage(log, AtError()))
        await until(pilot, lambda: "ValueError: 12 rows" in under_cursor(app))
        assert is_visible(app)
        assert "held" in title(app)


async def test_a_service_log_opens_at_the_time_of_its_crash(
    app: ApplianceApp, control: FakeControl
) -> None:
    began = builders.ago(hours=2)
    lines = [
        f"{began + timedelta(seconds=second):%Y-%m-%dT%H:%M:%SZ} INFO n={second}"
        for second in range(3000)
    ]
    control.service_lines = lambda _: lines
    page = LogsPage(ServiceLog("mlflow"), AtTime(began + timedelta(seconds=700)))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app, page)
        await until(pilot, lambda: "n=700" in under_cursor(app))
        assert is_visible(app)


async def test_a_log_that_cannot_be_read_says_so_and_comes_back(
    app: ApplianceApp, control: FakeControl
) -> None:
    control.failures["service_log_page"] = StoreUnavailable("gone", hint="wait")
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("l")
        await until(pilot, lambda: "gone" in shown(app))
        control.failures.clear()
        await until(pilot, lambda: "candle stored" in shown(app))
