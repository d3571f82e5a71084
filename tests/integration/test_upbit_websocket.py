"""The candle stream against a real server: reconnects, reports silence, takes every kind of frame."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from websockets.asyncio.server import ServerConnection, serve

from appliance.domain.candle import LiveCandle
from appliance.exchange.port import StreamState, StreamStatus
from appliance.upbit.websocket import CandleStream, StreamTiming
from tests.simulator_fixtures import UNLIMITED, fault, running_simulator

QUICK = StreamTiming(silent_after=0.6, first_backoff=0.05)
FAST = replace(UNLIMITED, speed=20.0)


class Listener:
    """Collects what a stream yields and reports, in the background."""

    def __init__(self, url: str, markets: tuple[str, ...], timing: StreamTiming = QUICK) -> None:
        self.candles: list[LiveCandle] = []
        self.statuses: list[StreamStatus] = []
        self._news = asyncio.Condition()
        self._stream = CandleStream(url, markets, (1,), self.statuses.append, timing)

    async def run(self) -> None:
        async for live in self._stream.candles():
            self.candles.append(live)

    async def until(self, condition: object, seconds: float = 15) -> None:
        assert callable(condition)
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - the listener has no event for statuses
                await asyncio.sleep(0.02)

    def count(self, state: StreamState) -> int:
        return sum(status.state is state for status in self.statuses)


@asynccontextmanager
async def listening(
    url: str, *markets: str, timing: StreamTiming = QUICK
) -> AsyncIterator[Listener]:
    listener = Listener(f"ws{url.removeprefix('http')}/websocket/v1", markets, timing)
    task = asyncio.create_task(listener.run())
    try:
        yield listener
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_candles_of_every_market_arrive_aware_and_with_their_width() -> None:
    with running_simulator(FAST) as url:
        async with listening(url, "KRW-BTC", "KRW-DOGE") as listener:
            await listener.until(lambda: len({c.candle.market for c in listener.candles}) == 2)
    live = listener.candles[0]
    assert live.candle.unit == 1
    assert live.candle.candle_date_time_utc.utcoffset() is not None


async def test_a_dropped_socket_is_reported_and_reconnected() -> None:
    with running_simulator(FAST) as url:
        async with listening(url, "KRW-BTC") as listener:
            await listener.until(lambda: listener.candles)
            await asyncio.to_thread(fault, url, kind="drop")
            await listener.until(lambda: listener.count(StreamState.CONNECTED) == 2)
            seen = len(listener.candles)
            await listener.until(lambda: len(listener.candles) > seen)
    lost = next(s for s in listener.statuses if s.state is StreamState.DISCONNECTED)
    assert "reconnecting in" in lost.message


async def test_a_subscription_without_any_message_is_reported_by_name() -> None:
    with running_simulator(FAST) as url:
        async with listening(url, "KRW-BTC", "KRW-NOPE") as listener:
            await listener.until(lambda: listener.count(StreamState.SILENT) == 1)
    silent = next(s for s in listener.statuses if s.state is StreamState.SILENT)
    assert (silent.market, silent.unit) == ("KRW-NOPE", 1)


async def test_a_silent_socket_is_given_up_and_opened_again() -> None:
    timing = replace(QUICK, dead_after=1.0)
    with running_simulator(FAST) as url:
        async with listening(url, "KRW-BTC", timing=timing) as listener:
            await listener.until(lambda: listener.candles)
            await asyncio.to_thread(fault, url, kind="silent", real_seconds=3)
            await listener.until(lambda: listener.count(StreamState.CONNECTED) >= 2)
    assert any("nothing received" in status.message for status in listener.statuses)


async def test_an_unreachable_server_is_tried_again() -> None:
    async with listening("http://127.0.0.1:9", "KRW-BTC") as listener:
        await listener.until(lambda: listener.count(StreamState.DISCONNECTED) >= 2)


async def test_text_frames_status_messages_and_errors_are_understood() -> None:
    message = {
        "type": "candle.1m",
        "code": "KRW-BTC",
        "candle_date_time_utc": "2026-01-05T12:00:00",
        "opening_price": 1.16539e8,
        "high_price": 1.16539e8,
        "low_price": 1.16539e8,
        "trade_price": 1.16539e8,
        "candle_acc_trade_volume": 0.1,
        "candle_acc_trade_price": 1.16539e7,
        "timestamp": 1,
        "stream_type": "REALTIME",
    }
    origins: list[str | None] = []

    async def handler(socket: ServerConnection) -> None:
        assert socket.request is not None
        origins.append(socket.request.headers.get("Origin"))
        parts = json.loads(await socket.recv())
        assert parts[1] == {"type": "candle.1m", "codes": ["KRW-BTC"]}
        await socket.send('{"status":"UP"}')
        await socket.send(json.dumps(message | {"high_price": 1.0}))
        await socket.send(json.dumps(message))
        await socket.send(b'{"error":{"name":"INVALID_PARAM","message":"no"}}')
        await socket.close()

    async with serve(handler, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with listening(f"http://127.0.0.1:{port}", "KRW-BTC") as listener:
            await listener.until(lambda: listener.count(StreamState.DISCONNECTED) >= 1)
    prices = {(c.candle.high, c.candle.close) for c in listener.candles}
    assert prices == {(116_539_000.0, 116_539_000.0)}, "a candle that cannot be is refused"
    assert any("INVALID_PARAM" in status.message for status in listener.statuses)
    assert set(origins) == {None}
