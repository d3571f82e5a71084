"""Twenty markets on the dashboard: choosing what the chart shows, at the smallest size."""

from __future__ import annotations

import pytest

from appliance.control.api import StreamMessage
from appliance.tui.app import ApplianceApp
from appliance.tui.screens.modals import PickModal
from appliance.tui.screens.why import WhyModal
from appliance.tui.widgets.panel import Panel
from tests import builders, fleet
from tests.fakes.control import FakeControl
from tests.tui.conftest import loaded, until


@pytest.fixture
def control() -> FakeControl:
    """An appliance with twenty markets in two timeframes each."""
    return FakeControl(builders.status(markets=builders.markets(20, (1, 60))))


def chart(app: ApplianceApp) -> str:
    return str(app.screen.query_one("#market", Panel).border_title)


async def test_brackets_go_round_the_markets_and_u_round_the_timeframes(app: ApplianceApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        assert "KRW-BTC 1m" in chart(app)
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: app.board.candles.value)
        assert "KRW-ETH 1m" in chart(app)
        assert {candle.market for candle in app.board.candles.value or ()} == {"KRW-ETH"}
        await pilot.press("u")
        await until(pilot, lambda: "KRW-ETH 60m" in chart(app))
        await pilot.press("left_square_bracket", "left_square_bracket")
        await until(pilot, lambda: "KRW-AAVE 60m" in chart(app))


async def test_the_list_of_markets_scrolls_and_enter_shows_the_chosen_one(
    app: ApplianceApp,
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("c")
        assert isinstance(app.screen, PickModal)
        choices = app.screen.query_one("#choices", Panel)
        assert app.screen.region.contains_region(choices.region)
        assert len(choices.view.rows) == 40
        assert max(row.text.cell_len for row in choices.view.rows) <= choices.size.width
        await pilot.press("G")
        assert choices.scroll_offset.y > 0
        await pilot.press("enter")
        await until(pilot, lambda: "KRW-AAVE 60m" in chart(app))


async def test_another_projects_forecast_is_not_drawn_into_the_chart(app: ApplianceApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await loaded(pilot)
        shown = app.screen.query_one("#market", Panel)
        assert any("╌" in row.text.plain for row in shown.view.rows)
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: app.board.candles.value)
        assert not any("╌" in row.text.plain for row in shown.view.rows)


async def test_a_market_that_is_removed_gives_the_chart_back_to_the_project(
    app: ApplianceApp, control: FakeControl
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("right_square_bracket")
        control.push(StreamMessage(status=builders.status()))
        await until(pilot, lambda: "KRW-BTC 1m" in chart(app) and app.board.candles.value)
        assert {candle.market for candle in app.board.candles.value or ()} == {"KRW-BTC"}


async def test_of_many_projects_n_lists_those_with_problems_first_and_filters() -> None:
    app = ApplianceApp(FakeControl(fleet.status()))
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("n")
        choices = app.screen.query_one("#choices", Panel)
        await until(pilot, lambda: len(choices.view.rows) == 20)
        assert "▲ 1 problem" in choices.view.rows[0].text.plain
        await pilot.press("slash", *"t_14", "enter", "enter")
        await until(pilot, lambda: app.board.project_name == "project_14")


async def test_the_data_screen_shows_markets_that_need_a_look_first() -> None:
    app = ApplianceApp(FakeControl(fleet.status(markets=30, late=4, gaps=2)))
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("d")
        feeds = app.screen.query_one("#feeds", Panel)
        await until(pilot, lambda: len(feeds.view.rows) == 30)
        late = [f"{fleet.code(n)} 1" for n in range(26, 30)]
        assert [row.key for row in feeds.view.rows[:6]] == [*late, "KRW-BTC 1", "KRW-ETH 1"]
        assert feeds.selected_key == "KRW-BTC 1"


async def test_the_problems_of_113_markets_are_one_row_that_lists_them() -> None:
    app = ApplianceApp(FakeControl(fleet.status()))
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("exclamation_mark")
        causes = app.screen.query_one("#causes", Panel)
        await until(pilot, lambda: len(causes.view.rows) == 3)
        cause = app.screen.query_one("#cause", Panel)
        assert app.screen.region.contains_region(cause.region)
        await until(pilot, lambda: len(cause.view.rows) > 113)
        await pilot.press("j")
        await until(pilot, lambda: "with gaps" in cause.view.rows[0].text.plain)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WhyModal))
