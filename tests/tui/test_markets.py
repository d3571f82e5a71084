"""Twenty markets on the dashboard: choosing what the chart shows, at the smallest size."""

from __future__ import annotations

import pytest

from appliance.control.api import StreamMessage
from appliance.tui.app import ApplianceApp
from appliance.tui.screens.modals import PickModal
from appliance.tui.widgets.panel import Panel
from tests import builders
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
