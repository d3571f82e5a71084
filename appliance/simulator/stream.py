"""The WebSocket side: snapshots, then at a steady pace what a trade has changed."""

from __future__ import annotations

import asyncio
import json

from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from appliance.simulator.book import Book
from appliance.simulator.columns import Columns
from appliance.simulator.exchange import Exchange
from appliance.simulator.faults import FaultKind
from appliance.simulator.frames import FrameQuirks, Message, candle_fields
from appliance.simulator.limits import ORIGIN, WEBSOCKET, MessageLimit, remaining_req
from appliance.simulator.replies import over_limit
from appliance.simulator.subscription import (
    TICKER_UNIT,
    Subscription,
    SubscriptionError,
    Topic,
    parse_subscription,
)
from appliance.simulator.ticker import stream_fields, ticker
from appliance.simulator.windows import SECOND, window_at

UP_SECONDS = 10.0
_MOST_CLOSED = 10  # candles that closed since the last look and are still sent


def cadence_seconds(speed: float) -> float:
    """Return the real seconds between two looks: a second, less where a minute takes few of them."""
    return min(1.0, max(0.1, 15.0 / speed))


class StreamConnection:
    """One client: its present subscription and what it was last told of each code."""

    def __init__(self, exchange: Exchange, socket: WebSocket) -> None:
        self._exchange = exchange
        self._socket = socket
        self._quirks = FrameQuirks(exchange.faults)
        self._limit = MessageLimit(exchange.options.has_limits)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._told: dict[tuple[int, str], tuple[int, int, float]] = {}

    async def run(self) -> None:
        """Serve until either side closes; a connection over the limit is refused with 429 or 418."""
        if not await self._accept():
            return
        try:
            while True:
                message = await self._socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                self._handle(message.get("text") or message.get("bytes") or "")
        except SubscriptionError as error:
            body = {"error": {"name": error.name, "message": error.message}}
            await self._send([json.dumps(body, ensure_ascii=False).encode()])
            await self._socket.close(1000)
        except WebSocketDisconnect:
            return
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _accept(self) -> bool:
        """Upgrade the connection when the client's budget allows it."""
        address = self._socket.client.host if self._socket.client else ""
        group = ORIGIN if "origin" in self._socket.headers else WEBSOCKET
        verdict = self._exchange.limits.take(address, group)
        headers = [(b"remaining-req", remaining_req(group, verdict)), (b"limit-by-ip", b"Yes")]
        if verdict.status == 200:
            await self._socket.accept(headers=headers)
            return True
        reply = over_limit(verdict, headers)
        fields = {name.decode(): value.decode() for name, value in reply.headers}
        await self._socket.send_denial_response(Response(reply.body, reply.status, fields))
        return False

    def _handle(self, frame: str | bytes) -> None:
        """Take in a message.

        Raises:
            SubscriptionError: a wrong one, or one too many (how Upbit answers that is not documented).
        """
        if not self._limit.take():
            raise SubscriptionError("TOO_MANY_REQUEST", "요청이 너무 많습니다.")
        if frame in ("PING", b"PING"):
            self._replace("up", asyncio.create_task(self._say_up()))
            return
        subscription = parse_subscription(frame)
        self._told.clear()
        self._replace("push", asyncio.create_task(self._push(subscription)))

    def _replace(self, name: str, task: asyncio.Task[None]) -> None:
        if name in self._tasks:
            self._tasks[name].cancel()
        self._tasks[name] = task

    async def _say_up(self) -> None:
        while True:
            if not self._is_silent():
                await self._send([b'{"status":"UP"}'])
            await asyncio.sleep(UP_SECONDS)

    async def _push(self, subscription: Subscription) -> None:
        wait = cadence_seconds(self._exchange.time.speed)
        while True:
            if not self._is_silent():
                now = self._exchange.time.now()
                messages = [
                    message
                    for topic in subscription.topics
                    for code in topic.codes
                    for message in self._messages(topic, code, now)
                ]
                await self._send(subscription.encode(messages))
            await asyncio.sleep(wait)

    def _is_silent(self) -> bool:
        return self._exchange.faults.take(FaultKind.SILENT, self._exchange.time.now()) is not None

    async def _send(self, frames: list[bytes]) -> None:
        for frame in frames:
            try:
                await self._socket.send_bytes(frame)
            except (WebSocketDisconnect, RuntimeError):  # the client is gone
                return

    def _messages(self, topic: Topic, code: str, now: int) -> list[Message]:
        book = self._exchange.book(code)
        if book is None:  # Upbit is silent about codes it does not know
            return []
        is_first = (topic.unit, code) not in self._told
        if not is_first and not topic.has_realtime:
            return []
        kind = "SNAPSHOT" if is_first else "REALTIME"
        if topic.unit == TICKER_UNIT:
            messages = self._ticker(book, now, kind)
        else:
            candles = self._candles(book, topic.unit, now)
            messages = [candle_fields(candle, code, topic.unit, kind) for candle in candles]
            messages = self._quirks.changed(messages, book, topic.unit, now)
        return messages if topic.has_snapshot or not is_first else []

    def _ticker(self, book: Book, now: int, kind: str) -> list[Message]:
        state = ticker(book, now)
        if state is None or not self._is_news(
            TICKER_UNIT, book, (state.trade_at, state.stamp, state.volume)
        ):
            return []
        return [stream_fields(state, kind)]

    def _candles(self, book: Book, unit: int, now: int) -> list[Columns]:
        """Return what has changed: candles that closed since the last look, and the forming one."""
        told = self._told.get((unit, book.market.code))
        candidates = [book.newest(unit, now)]
        window = window_at(unit, now)
        if told is not None and told[0] < window:
            first = max(told[0], window - _MOST_CLOSED * (1 if unit == SECOND else unit))
            closed = list(book.closed_between(unit, first, window, now))
            candidates = [
                part.rows(slice(row, row + 1)) for part in closed for row in range(len(part))
            ] + candidates
        return [
            candle
            for candle in candidates
            if len(candle) and self._is_news(unit, book, _mark(candle))
        ]

    def _is_news(self, unit: int, book: Book, mark: tuple[int, int, float]) -> bool:
        key = (unit, book.market.code)
        if key in self._told and self._told[key] >= mark:
            return False
        self._told[key] = mark
        return True


def _mark(candle: Columns) -> tuple[int, int, float]:
    return int(candle.opens[0]), int(candle.stamp[0]), float(candle.volume[0])
