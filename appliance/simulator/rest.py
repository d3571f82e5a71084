"""The REST endpoints under `/v1`, down to headers, limits and error bodies.

A plain ASGI application: a framework's request and response objects cost more than a page of candles.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any, NoReturn

from appliance.simulator.book import Page
from appliance.simulator.connections import reset
from appliance.simulator.endpoints import Endpoints, Handler
from appliance.simulator.exchange import Exchange
from appliance.simulator.faults import FaultKind, Occurrence
from appliance.simulator.limits import ORIGIN, Verdict, remaining_req
from appliance.simulator.query import LONGEST_QUERY, Request, read_request
from appliance.simulator.replies import (
    Headers,
    Refusal,
    Reply,
    error_body,
    gzip,
    html_reply,
    is_worth_packing,
    json_reply,
    not_routed,
    over_limit,
    too_long,
)

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


_METHODS = frozenset({"GET", "HEAD"})


class RestApi:
    """The application for `/v1`."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._packed = exchange.caches.packed
        self._endpoints = Endpoints(exchange)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request, or break its connection when a fault says so."""
        if len(scope["query_string"]) > LONGEST_QUERY:
            await _send(send, too_long(self.date()))
            return
        request = read_request(scope)
        if request.connection is not None:
            request.connection.has_served_upbit = True
        try:
            reply = await self._reply(request)
        except _BrokenConnection:
            await _until_disconnected(receive)
            return
        await _send(send, reply)

    def date(self) -> bytes:
        """Return the Date header: simulated time, with the clock's error."""
        now = self._exchange.time.now()
        skew = self._exchange.faults.parameter(FaultKind.SKEW, "skew_seconds", now)
        if skew:
            self._exchange.faults.note(FaultKind.SKEW)
        return formatdate(now // 1000 + skew, usegmt=True).encode()

    async def _reply(self, request: Request) -> Reply:
        faults, now = self._exchange.faults, self._exchange.time.now()
        if faults.take(FaultKind.OUTAGE, now):
            _break(request)
        group, handler = self._endpoints.find(request.path)
        if handler is None or request.method not in _METHODS:
            return not_routed(self.date())
        group = ORIGIN if b"origin" in request.headers else group
        await self._travel()
        verdict = self._exchange.limits.take(request.address, group)
        fault = faults.take_reply(self._exchange.time.now()) if verdict.status == 200 else None
        slow = faults.take(FaultKind.LATENCY, self._exchange.time.now())
        if slow is not None:
            await asyncio.sleep(slow.parameters["latency_ms"] / 1000)
        await self._travel()
        if fault is not None:
            return await self._faulty(request, group, verdict, fault, handler)
        return await self._good(request, group, verdict, handler)

    async def _travel(self) -> None:
        """Take half of the added latency, as the way to a distant exchange or back would."""
        if self._exchange.options.latency_ms > 0:
            await asyncio.sleep(self._exchange.options.latency_ms / 2000)

    async def _good(
        self, request: Request, group: str, verdict: Verdict, handler: Handler
    ) -> Reply:
        if verdict.status != 200:
            return over_limit(verdict, self._headers(group, verdict))
        status, page = await _answer(request, handler)
        return self._json(request, status, page.key, self._headers(group, verdict), page.body)

    async def _faulty(
        self, request: Request, group: str, verdict: Verdict, fault: Occurrence, handler: Handler
    ) -> Reply:
        kind = fault.kind
        if kind is FaultKind.TIMEOUT:
            await asyncio.sleep(fault.parameters["hold_seconds"])
            _break(request)
        if kind is FaultKind.RESET:
            _break(request)
        if kind.value.isdigit():
            verdict = Verdict(int(kind.value), 0, fault.parameters.get("block_seconds", 0.0))
        if verdict.status != 200 or kind is FaultKind.HTML:
            headers = self._headers(group, verdict)
            return html_reply(headers) if verdict.status == 200 else over_limit(verdict, headers)
        status, page = await _answer(request, handler)
        body = page.body()
        if kind is FaultKind.ERROR_200:
            status, body = 200, b'{"error":{"name":500,"message":"Internal error"}}'
        if kind is FaultKind.TRUNCATED:
            body = body[: len(body) // 2]
        headers = self._headers(group, verdict)
        reply = self._json(request, status, None, headers, lambda: body)
        if kind is FaultKind.CLOSED:
            self._cut_off(request, reply)
        return reply

    def _cut_off(self, request: Request, reply: Reply) -> NoReturn:
        """Write the head and half of a reply, then close."""
        if request.connection is None:
            raise _BrokenConnection
        transport = request.connection.transport
        lines = [b"%s: %s\r\n" % header for header in reply.headers]
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" % max(len(reply.body), 1)
        half = reply.body[: len(reply.body) // 2]
        transport.write(head + b"".join(lines) + b"\r\n" + half)
        transport.close()
        raise _BrokenConnection

    def _json(
        self,
        request: Request,
        status: int,
        key: object,
        headers: Headers,
        body: Callable[[], bytes],
    ) -> Reply:
        if request.takes_gzip:
            known = None if key is None else self._packed.peek(key)
            if known is not None:
                return json_reply(status, b"", headers, known)
            plain = body()
            packed = gzip(plain, self._packed, key) if is_worth_packing(plain) else None
            return json_reply(status, plain, headers, packed)
        return json_reply(status, body(), headers, None)

    def _headers(self, group: str, verdict: Verdict) -> Headers:
        return [
            (b"Date", self.date()),
            (b"Remaining-Req", remaining_req(group, verdict)),
            (b"Limit-By-Ip", b"Yes"),
        ]


async def _send(send: Send, reply: Reply) -> None:
    length = (b"Content-Length", b"%d" % len(reply.body))
    start = {"type": "http.response.start", "status": reply.status}
    await send({**start, "headers": [*reply.headers, length]})
    await send({"type": "http.response.body", "body": reply.body})


class _BrokenConnection(Exception):
    """There is nobody left to reply to."""


def _break(request: Request) -> NoReturn:
    if request.connection is not None:
        reset(request.connection.transport)
    raise _BrokenConnection


async def _answer(request: Request, handler: Handler) -> tuple[int, Page]:
    """Return status and body of a request, of an error where it is refused."""
    try:
        return 200, await handler(request)
    except Refusal as refusal:
        return refusal.status, Page((error_body(refusal.status, refusal.message),), is_list=False)


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
