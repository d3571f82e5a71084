"""What the actions about markets do: which one the chart shows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from appliance.tui.presentation import feeds
from appliance.tui.presentation.view import Frame, PanelView
from appliance.tui.screens.modals import PickModal
from appliance.tui.state import Feed

if TYPE_CHECKING:
    from appliance.tui.app import ApplianceApp


def choose_market(app: ApplianceApp) -> None:
    """Ask which market and timeframe the chart shows."""

    def chosen(key: str | None) -> None:
        if key:
            app.choose_feed(feeds.feed_of(key))

    def view(frame: Frame) -> PanelView:
        return feeds.present_choices(app.board, frame)

    known, shown = app.board.feeds, app.board.feed
    cursor = known.index(shown) if shown in known else 0
    app.push_screen(PickModal("Chart of which market?", view, cursor), chosen)


def step_market(app: ApplianceApp, step: int) -> None:
    """Show the market `step` further in the list, keeping the timeframe where there is one."""
    shown = app.board.feed
    if shown is None:
        return
    markets = list(dict.fromkeys(market for market, _ in app.board.feeds))
    at = markets.index(shown[0]) if shown[0] in markets else -step
    market = markets[(at + step) % len(markets)]
    own = [feed for feed in app.board.feeds if feed[0] == market]
    app.choose_feed(next((feed for feed in own if feed[1] == shown[1]), own[0]))


def next_timeframe(app: ApplianceApp) -> None:
    """Show the market's next timeframe."""
    shown = app.board.feed
    own: list[Feed] = [feed for feed in app.board.feeds if shown and feed[0] == shown[0]]
    if shown in own:
        app.choose_feed(own[(own.index(shown) + 1) % len(own)])


FEED_OPERATIONS: dict[str, Callable[[ApplianceApp], None]] = {
    "market": choose_market,
    "next_market": partial(step_market, step=1),
    "previous_market": partial(step_market, step=-1),
    "timeframe": next_timeframe,
}
"""Action id to operation."""
