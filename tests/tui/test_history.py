"""The charts page, from the keyboard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from textual.pilot import Pilot

from appliance.domain.chart import Chart
from appliance.domain.event import EventKind
from appliance.errors import StoreUnavailable
from appliance.tui.app import ApplianceApp
from appliance.tui.screens.history import HistoryPage
from appliance.tui.screens.modals import ReadModal
from appliance.tui.widgets.panel import Panel
from tests import builders, chart_builder
from tests.fakes.control import FakeControl
from tests.tui.conftest import loaded, until

SIZES = [(60, 20), (80, 24), (120, 40), (200, 60)]


def page(app: ApplianceApp) -> HistoryPage:
    return next(screen for screen in app.screen_stack if isinstance(screen, HistoryPage))


def text(app: ApplianceApp, name: str) -> str:
    view = page(app).query_one(f"#{name}", Panel).view
    rows = "\n".join(row.text.plain for row in view.rows)
    return f"{view.title.plain}\n{rows}\n{view.footnote.plain}"


async def opened(app: ApplianceApp, pilot: Pilot[int], *keys: str) -> HistoryPage:
    await loaded(pilot)
    await pilot.press(*keys, "h")
    await until(pilot, lambda: isinstance(app.screen, HistoryPage))
    await drawn(app, pilot)
    return page(app)


async def drawn(app: ApplianceApp, pilot: Pilot[int]) -> None:
    await until(pilot, lambda: page(app).state.chart.value and "KST" in text(app, "chart"))


async def changed(pilot: Pilot[int], look: Callable[[], object], *keys: str) -> None:
    before = look()
    await pilot.press(*keys)
    await until(pilot, lambda: look() != before, f"{keys} change nothing")


@pytest.mark.parametrize("size", SIZES)
async def test_the_chart_is_whole_at_every_size(app: ApplianceApp, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        shown = await opened(app, pilot)
        for name in ("charts", "lines", "chart", "values"):
            panel = shown.query_one(f"#{name}", Panel)
            assert app.screen.region.contains_region(panel.region), name
            room = panel.scrollable_content_region
            assert max(row.text.cell_len for row in panel.view.rows) <= room.width, name
        chart = shown.query_one("#chart", Panel)
        assert len(chart.view.rows) == chart.scrollable_content_region.height
        assert {"░", "•", "✕", "│"} <= set(text(app, "chart"))
        assert "interval −" in text(app, "values")


async def test_the_share_inside_stands_beside_its_target(app: ApplianceApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot)
        title = text(app, "chart").splitlines()[0]
        assert "outcomes inside, target 80 %" in title


async def test_the_panel_in_focus_says_which_chart_comes_first(app: ApplianceApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        shown = await opened(app, pilot, "v")
        assert shown.state.key == "drift"


async def test_a_digit_and_the_list_choose_a_chart(app: ApplianceApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        shown = await opened(app, pilot)
        await pilot.press("2")
        assert shown.state.key == "loss"
        await drawn(app, pilot)
        assert "a" in text(app, "chart") and "b" in text(app, "chart")
        shown.query_one("#charts", Panel).focus()
        await pilot.press("G")
        await until(pilot, lambda: shown.state.key == "memory")
        await drawn(app, pilot)
        assert "MB" in text(app, "chart")


async def test_the_cursor_says_its_values_and_pan_and_zoom_read_what_is_shown(
    app: ApplianceApp, control: FakeControl
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        shown = await opened(app, pilot, *"v")
        await changed(pilot, lambda: text(app, "values"), "left", "left", "left")
        window = shown.state.window
        assert window is not None
        await changed(pilot, lambda: shown.state.window, "minus")
        assert shown.state.window is not None and shown.state.window.span > window.span
        await until(pilot, lambda: len(control.asked_charts) >= 2)
        await changed(pilot, lambda: shown.state.window, "shift+left")
        await until(pilot, lambda: shown.state.chart.value and shown._awaited is None)
        await changed(pilot, lambda: shown.state.window, "end")
        assert shown.state.window.end_at == shown.state.chart.value.last_at  # type: ignore[union-attr]


async def test_enter_opens_the_event_that_the_arrows_went_to(app: ApplianceApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, "v")
        await pilot.press("enter")
        assert isinstance(app.screen, HistoryPage)
        await pilot.press("up")
        await until(pilot, lambda: "enter opens it" in text(app, "values"))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ReadModal))


async def test_a_promotion_is_a_line_through_the_chart(
    app: ApplianceApp, control: FakeControl
) -> None:
    at = builders.ago(hours=1)
    promoted = builders.event(99, EventKind.PROMOTED, "v12 promoted", at)
    control.known_events = [promoted]
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot)
        assert text(app, "chart").count("┊") > 5
        assert "▲ promoted" in text(app, "chart")


async def test_space_hides_and_shows_a_line(app: ApplianceApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        shown = await opened(app, pilot)
        shown.query_one("#lines", Panel).focus()
        await changed(pilot, lambda: "░" in text(app, "chart"), "space")
        assert "□ ░ interval" in text(app, "lines")
        await changed(pilot, lambda: "░" in text(app, "chart"), "space")


async def test_before_the_first_forecast_the_chart_says_what_comes(
    app: ApplianceApp, control: FakeControl
) -> None:
    known = chart_builder.chart("outcomes", 10)
    control.known_charts["outcomes"] = Chart("outcomes", known.start_at, known.end_at, 60)
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("h")
        await until(pilot, lambda: "nothing is stored yet" in text(app, "chart"))


async def test_a_failed_reading_says_why_and_keeps_what_was_drawn(
    app: ApplianceApp, control: FakeControl
) -> None:
    control.failures["chart"] = StoreUnavailable("the store does not answer", hint="wait")
    async with app.run_test(size=(120, 40)) as pilot:
        await loaded(pilot)
        await pilot.press("h")
        await until(pilot, lambda: "the store does not answer" in text(app, "chart"))
        control.failures.clear()
        page(app).read()
        await drawn(app, pilot)
        control.failures["chart"] = StoreUnavailable("gone again")
        page(app).read()
        await until(pilot, lambda: page(app).query_one("#chart", Panel).view.is_stale)
        assert "░" in text(app, "chart")


async def test_another_project_has_charts_of_its_own(
    app: ApplianceApp, control: FakeControl
) -> None:
    other = replace(builders.project(), name="other")
    control.snapshot = builders.status(projects=(builders.project(), other))
    async with app.run_test(size=(120, 40)) as pilot:
        shown = await opened(app, pilot)
        await pilot.press("n")
        shown.read()
        await until(pilot, lambda: shown.state.project == "other")
        await drawn(app, pilot)
