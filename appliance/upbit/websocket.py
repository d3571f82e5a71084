"""The candle stream: forming candles as the exchange sends them, reconnecting for ever.

The stream is a hint, never the record: the same candle arrives many times (the last one wins), a wrong
code gives silence instead of an error, and nothing is sent again after a reconnect. Closed candles
come from REST.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import random
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from appliance import clock
from appliance.config import outbound
from appliance.config.listeners import UnprovenListener
from appliance.domain.candle import Candle, LiveCandle
from appliance.domain.feed import Feed
from appliance.exchange.port import StreamState, StreamStatus

PING_SECONDS = 20.0  # the exchange drops a connection that sent nothing for 60 s
SILENT_AFTER_SECONDS = 15.0
DEAD_AFTER_SECONDS = 90.0
_OPEN_TIMEOUT_SECONDS = 10.0
_FIRST_BACKOFF_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = 30.0
_log = logging.getLogger(__name__)


class StreamRefused(Exception):
    """The exchange answered the subscription with an error."""


@dataclass(frozen=True, slots=True)
class StreamTiming:
    """Time limits in seconds, shortened by tests."""

    ping: float = PING_SECONDS
    silent_after: float = SILENT_AFTER_SECONDS
    dead_after: float = DEAD_AFTER_SECONDS
    first_backoff: float = _FIRST_BACKOFF_SECONDS


class CandleStream:
    """Subscription to `candle.{unit}m` of several markets over one connection.

    Args:
        url: such as `wss://api.upbit.com/websocket/v1`.
        markets: upper-case market codes.
        units: candle widths in minutes.
        on_status: told of every connect, disconnect and silent subscription.
        timing: time limits.
        open_socket: returns a connection to speak over, blocks; None opens one by the URL.
    """

    def __init__(
        self,
        url: str,
        markets: Sequence[str],
        units: Sequence[int],
        on_status: Callable[[StreamStatus], None] = lambda _status: None,
        timing: StreamTiming | None = None,
        open_socket: Callable[[], socket.socket] | None = None,
    ) -> None:
        self._url = url
        self._markets = tuple(markets)
        self._units = tuple(units)
        self._on_status = on_status
        self._timing = timing or StreamTiming()
        self._open_socket = open_socket
        self._failures = 0
        self._refused: tuple[str, int, datetime] | None = None
        self._unheard: set[Feed] = set()
        self._socket: ClientConnection | None = None
        self._heard_at = -math.inf

    async def subscribe(self, markets: Sequence[str], units: Sequence[int]) -> None:
        """Subscribe to these from now on; on a connection the new subscription replaces the old."""
        before = self._feeds()
        self._markets, self._units = tuple(markets), tuple(units)
        self._unheard = (self._unheard | (self._feeds() - before)) & self._feeds()
        if self._socket is not None:
            with suppress(WebSocketException, OSError):  # the next connection subscribes anew
                await (self._socket.send(self._subscription()) if markets else self._socket.close())

    def quiet_seconds(self) -> float:
        """Return how long ago the last candle came, in seconds; infinite before the first."""
        return clock.monotonic() - self._heard_at

    def _feeds(self) -> set[Feed]:
        return {Feed(market, unit) for market in self._markets for unit in self._units}

    async def candles(self) -> AsyncIterator[LiveCandle]:
        """Yield forming candles for ever; cancel to stop."""
        while True:
            reason = "the exchange closed the connection"
            try:
                async for live in self._one_connection():
                    self._failures = 0
                    yield live
            except (OSError, WebSocketException, StreamRefused, UnprovenListener) as error:
                reason = outbound.explain(self._url, error)
            wait = self._backoff()
            self._on_status(
                StreamStatus(
                    StreamState.DISCONNECTED,
                    f"stream lost ({reason}); reconnecting in {wait:.1f} s",
                )
            )
            await asyncio.sleep(wait)

    async def _one_connection(self) -> AsyncIterator[LiveCandle]:
        async with connect(
            self._url,
            **await self._way(),
            origin=None,
            ping_interval=self._timing.ping,
            ping_timeout=self._timing.ping,
            open_timeout=_OPEN_TIMEOUT_SECONDS,
            close_timeout=1.0,
        ) as socket:
            await socket.send(self._subscription())
            self._socket = socket
            self._on_status(StreamStatus(StreamState.CONNECTED, "stream connected"))
            self._unheard = self._feeds()
            try:
                async for live in self._receive(socket):
                    yield live
            finally:
                self._socket = None

    async def _way(self) -> dict[str, Any]:
        """Return the arguments of `connect` for the way to the exchange."""
        if self._open_socket is None:
            return outbound.websocket_options(self._url)
        connection = await asyncio.to_thread(self._open_socket)
        connection.setblocking(False)
        return {"sock": connection, "proxy": None}

    async def _receive(self, socket: ClientConnection) -> AsyncIterator[LiveCandle]:
        subscribed_at = heard_at = clock.monotonic()
        is_reported = is_silent = False
        while True:
            try:
                frame = await asyncio.wait_for(socket.recv(), self._timing.silent_after / 3)
            except TimeoutError:
                frame = None
            now = clock.monotonic()
            live = parse_message(frame, clock.now()) if frame is not None else None
            if live is not None:
                heard_at, is_silent = now, False
                self._heard_at = now
                self._unheard.discard(Feed(live.candle.market, live.candle.unit))
                if self._is_possible(live.candle):
                    yield live
            if not is_reported and now - subscribed_at > self._timing.silent_after:
                is_reported = True
                self._report_silent()
            if not is_silent and now - heard_at > 2 * self._timing.silent_after:
                is_silent = True
                self._report_all_silent()
            if now - heard_at > self._timing.dead_after:
                raise TimeoutError(f"nothing received for {self._timing.dead_after:.0f} s")

    def _is_possible(self, candle: Candle) -> bool:
        """Whether trades can have made a candle; says once of each interval that they cannot."""
        reason = candle.why_impossible
        key = (candle.market, candle.unit, candle.candle_date_time_utc)
        if reason and key != self._refused:
            self._refused = key
            _log.warning("refused from the stream: market=%s unit=%d opens_at=%s: %s", *key, reason)
        return not reason

    def _report_all_silent(self) -> None:
        message = (
            f"the stream is connected but has sent nothing for {2 * self._timing.silent_after:.0f} s; "
            f"it is opened anew after {self._timing.dead_after:.0f} s"
        )
        self._on_status(StreamStatus(StreamState.SILENT, message))

    def _report_silent(self) -> None:
        for market, unit in sorted(self._unheard):
            message = (
                f"the stream sends nothing for {market} {unit}m; its candles come by REST, "
                "check that the market exists"
            )
            self._on_status(StreamStatus(StreamState.SILENT, message, market, unit))

    def _subscription(self) -> str:
        parts: list[dict[str, object]] = [{"ticket": str(uuid.uuid4())}]
        parts += [{"type": f"candle.{unit}m", "codes": list(self._markets)} for unit in self._units]
        return json.dumps([*parts, {"format": "DEFAULT"}])

    def _backoff(self) -> float:
        ceiling = min(_LONGEST_BACKOFF_SECONDS, self._timing.first_backoff * 2**self._failures)
        self._failures = min(self._failures + 1, 10)
        return float(ceiling * random.uniform(0.5, 1.0))  # noqa: S311 - spreads reconnects, no secret


def parse_message(frame: str | bytes, received_at: datetime) -> LiveCandle | None:
    """Return the candle of a text or binary frame, None for other messages such as `{"status":"UP"}`.

    Raises:
        StreamRefused: the frame is an error message.
    """
    try:
        message: Any = json.loads(frame)
    except ValueError:
        return None
    if not isinstance(message, Mapping):
        return None
    if isinstance(message.get("error"), Mapping):
        error = message["error"]
        raise StreamRefused(f"{error.get('name')}: {error.get('message')}")
    unit = _unit(str(message.get("type", "")))
    if unit is None:
        return None
    try:
        return LiveCandle(_candle(message, unit), received_at)
    except (KeyError, TypeError, ValueError):
        return None


def _unit(kind: str) -> int | None:
    prefix, _, width = kind.partition(".")
    if prefix != "candle" or not width.endswith("m") or not width[:-1].isdigit():
        return None
    return int(width[:-1])


def _candle(message: Mapping[str, Any], unit: int) -> Candle:
    return Candle(
        market=str(message["code"]),
        unit=unit,
        candle_date_time_utc=datetime.fromisoformat(message["candle_date_time_utc"]).replace(
            tzinfo=UTC
        ),
        open=float(message["opening_price"]),
        high=float(message["high_price"]),
        low=float(message["low_price"]),
        close=float(message["trade_price"]),
        volume=float(message["candle_acc_trade_volume"]),
        value=float(message["candle_acc_trade_price"]),
    )
