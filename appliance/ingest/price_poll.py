"""Prices by REST while the stream says nothing, so that the screen never shows an old one as the last."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from appliance import clock
from appliance.domain.candle import LiveCandle
from appliance.domain.feed import Feed
from appliance.errors import ExchangeError
from appliance.exchange.port import Exchange
from appliance.ingest.feed_state import FeedState

QUIET_SECONDS = 1.5
"""Silence of the stream after which prices are asked for; a price may be two seconds old."""
_REQUEST_SECONDS = 0.25  # between two requests: four a second leave most of the budget to candles
_ROUND_SECONDS = 1.0


async def poll_prices(
    feeds: Mapping[Feed, FeedState],
    client: Exchange,
    pool: ThreadPoolExecutor,
    quiet_seconds: Callable[[], float],
) -> None:
    """Give feeds their forming candle for ever while the stream is quiet; cancel to stop.

    A feed whose own requests fail is left to them: they say what is wrong and when they try again.
    """
    while True:
        started = clock.monotonic()
        for state in tuple(feeds.values()):
            if quiet_seconds() < QUIET_SECONDS:
                break
            if state.rest is None:
                await _ask(state, client, pool)
                await asyncio.sleep(_REQUEST_SECONDS)
        await asyncio.sleep(max(_REQUEST_SECONDS, started + _ROUND_SECONDS - clock.monotonic()))


async def _ask(state: FeedState, client: Exchange, pool: ThreadPoolExecutor) -> None:
    def newest() -> LiveCandle | None:
        rows = client.minute_candles(state.market, state.unit, count=1)
        return LiveCandle(rows[0].typed(), clock.now()) if rows else None

    try:
        live = await asyncio.get_running_loop().run_in_executor(pool, newest)
    except ExchangeError:
        return
    if live is not None and state.take_price(live):
        state.wanted.set()
