"""The REST endpoints, down to headers, limits and error bodies."""

from __future__ import annotations

import asyncio
import hashlib
import json
import zlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import format_datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from appliance.domain.candle import TIMEFRAMES
from appliance.simulator.book import DAY_UNIT, Book
from appliance.simulator.exchange import Exchange
from appliance.simulator.faults import FaultKind
from appliance.simulator.limits import Verdict
from appliance.simulator.listing import profile
from appliance.simulator.lru import LruCache
from appliance.simulator.ticker import rest_row, ticker

MAX_COUNT = 200
_GZIP_FROM_BYTES = 1024
_MISSING = "Missing request parameter error. Check the required parameters!"
_MISMATCH = "Type mismatch error. Check the parameters type!"
_INVALID = "Invalid parameter. Check the given value!"
_HTML = (
    b"<!DOCTYPE html><html><head><title>Upbit</title></head><body>Under maintenance</body></html>"
)
_QUOTE_FLAGS = (
    "PRICE_FLUCTUATIONS",
    "TRADING_VOLUME_SOARING",
    "DEPOSIT_AMOUNT_SOARING",
    "GLOBAL_PRICE_DIFFERENCES",
    "CONCENTRATION_OF_SMALL_ACCOUNTS",
)


Handler = Callable[[Request], bytes]
Endpoint = Callable[[Request], Awaitable[Response]]


class Refusal(Exception):
    """A request that gets an error body; `name` equals the status on this API."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class RestApi:
    """Handlers of `/v1`."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._packed: LruCache[bytes, bytes] = LruCache(16_000_000, len)

    def routes(self) -> list[Route]:
        """Return the routes; anything else is `no Route matched`."""
        handlers = {
            "/v1/candles/minutes/{unit}": ("candles", self._minutes),
            "/v1/candles/days": ("candles", self._days),
            "/v1/candles/seconds": ("candles", self._seconds),
            "/v1/market/all": ("market", self._markets),
            "/v1/ticker": ("ticker", self._ticker),
            "/v1/ticker/all": ("ticker", self._ticker_all),
        }
        return [
            Route(path, self._limited(group, handler), methods=["GET"])
            for path, (group, handler) in handlers.items()
        ]

    def not_routed(self) -> Response:
        """Return the gateway's reply to an unknown path: string name, no Remaining-Req."""
        body = _error_body("not_found", "no Route matched with those values")
        return Response(body, 404, {"Date": self._date()}, media_type="application/json")

    def _limited(self, group: str, handler: Handler) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            counted = "origin" if "origin" in request.headers else group
            address = request.client.host if request.client else ""
            await self._travel()
            verdict = self._exchange.limits.take(address, counted)
            fault = self._exchange.faults.next_reply() if verdict.status == 200 else None
            if fault is FaultKind.TIMEOUT:
                await asyncio.sleep(60)
            await self._travel()
            return self._reply(request, counted, verdict, fault, handler)

        return endpoint

    async def _travel(self) -> None:
        """Take half of the added latency, as the way to a distant exchange or back would."""
        if self._exchange.options.latency_ms > 0:
            await asyncio.sleep(self._exchange.options.latency_ms / 2000)

    def _reply(
        self,
        request: Request,
        group: str,
        verdict: Verdict,
        fault: FaultKind | None,
        handler: Handler,
    ) -> Response:
        if fault is not None and fault.value.isdigit():
            verdict = Verdict(int(fault.value), 0, 5.0)
        minutes = 6 if group == "origin" else 600
        headers = {
            "Remaining-Req": f"group={group}; min={minutes}; sec={verdict.remaining}",
            "Limit-By-Ip": "Yes",
            "Date": self._date(),
        }
        if verdict.status != 200:
            return _over_limit(verdict, headers)
        try:
            body = handler(request)
        except Refusal as refusal:
            body = _error_body(refusal.status, refusal.message)
            return _json(request, headers, body, refusal.status, self._packed)
        if fault is FaultKind.HTML:
            return Response(_HTML, 200, headers, media_type="text/html")
        if fault is FaultKind.ERROR_200:
            body = b'{"error":{"name":500,"message":"Internal error"}}'
        if fault is FaultKind.TRUNCATED:
            body = body[: len(body) // 2]
        return _json(request, headers, body, 200, self._packed)

    def _date(self) -> str:
        return format_datetime(self._exchange.time.now_at().replace(microsecond=0), usegmt=True)

    def _minutes(self, request: Request) -> bytes:
        unit = request.path_params["unit"]
        if not unit.isdigit() or int(unit) not in TIMEFRAMES:
            raise Refusal(400, "specified unit is not valid.")
        return self._candle_page(request, int(unit))

    def _days(self, request: Request) -> bytes:
        return self._candle_page(request, DAY_UNIT)

    def _seconds(self, request: Request) -> bytes:
        self._book(request)
        _count(request)
        _to(request)
        return b"[]"

    def _candle_page(self, request: Request, unit: int) -> bytes:
        book = self._book(request)
        rows = book.page(unit, _to(request), _count(request), self._exchange.time.now())
        return b"[" + b",".join(rows) + b"]"

    def _markets(self, request: Request) -> bytes:
        query = request.query_params
        is_detailed = (query.get("is_details") or query.get("isDetails") or "").lower() == "true"
        rows = []
        for code in self._exchange.codes:
            name = profile(code).name
            row: dict[str, object] = {"market": code, "korean_name": name, "english_name": name}
            if is_detailed:
                flags = dict.fromkeys(_QUOTE_FLAGS, False)
                row["market_event"] = {"warning": False, "caution": flags}
            rows.append(row)
        return json.dumps(rows, separators=(",", ":")).encode()

    def _ticker(self, request: Request) -> bytes:
        codes = _parameter(request, "markets")
        if not codes:
            raise Refusal(400, _MISSING)
        return self._ticker_rows([code.strip().upper() for code in codes.split(",")])

    def _ticker_all(self, request: Request) -> bytes:
        quotes = _parameter(request, "quote_currencies")
        if not quotes:
            raise Refusal(400, _MISSING)
        wanted = {quote.strip().upper() for quote in quotes.split(",")}
        codes = [code for code in self._exchange.codes if code.partition("-")[0] in wanted]
        return self._ticker_rows(codes)

    def _ticker_rows(self, codes: list[str]) -> bytes:
        now = self._exchange.time.now()
        rows = []
        for code in codes:
            state = ticker(self._known(code), now)
            if state is not None:
                rows.append(rest_row(state))
        return ("[" + ",".join(rows) + "]").encode()

    def _book(self, request: Request) -> Book:
        market = _parameter(request, "market")
        if not market:
            raise Refusal(400, _MISSING)
        return self._known(market.upper())

    def _known(self, code: str) -> Book:
        book = self._exchange.book(code)
        if book is None:
            raise Refusal(404, "Code not found")
        return book


def _parameter(request: Request, name: str) -> str:
    """Return a parameter; given several times its values count as one comma list."""
    return ",".join(request.query_params.getlist(name))


def _count(request: Request) -> int:
    text = request.query_params.get("count", "1")
    try:
        count = int(text)
    except ValueError:
        raise Refusal(400, _MISMATCH) from None
    if count < 1:
        raise Refusal(400, _INVALID)
    return min(count, MAX_COUNT)


def _to(request: Request) -> int | None:
    """Return `to` in milliseconds since 1970; without a zone it is UTC."""
    text = request.query_params.get("to")
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(400, _INVALID) from None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return round(at.timestamp() * 1000)


def _over_limit(verdict: Verdict, headers: dict[str, str]) -> Response:
    if verdict.status == 429:
        return Response("Too many API requests.", 429, headers, media_type="text/plain")
    message = "Internal server error"
    if verdict.status == 418:
        message = f"Too many API requests. Blocked for {verdict.blocked_seconds:.0f} seconds."
    body = _error_body(verdict.status, message)
    return Response(body, verdict.status, headers, media_type="application/json")


def _error_body(name: int | str, message: str) -> bytes:
    return json.dumps({"error": {"name": name, "message": message}}, separators=(",", ":")).encode()


def _json(
    request: Request,
    headers: dict[str, str],
    body: bytes,
    status: int,
    packed: LruCache[bytes, bytes],
) -> Response:
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    headers |= {
        "Content-Type": "application/json;charset=UTF-8",
        "Cache-Control": "no-cache, no-store, max-age=0, must-revalidate",
        "Pragma": "no-cache",
        "Expires": "0",
        "ETag": f'W/"0{digest.hex()}"',
        "Vary": "origin,access-control-request-method,access-control-request-headers,accept-encoding",
    }
    if len(body) >= _GZIP_FROM_BYTES and "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        plain = body
        body = packed.get_or(digest, lambda: _gzip(plain))
    return Response(body, status, headers)


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return packer.compress(body) + packer.flush()
