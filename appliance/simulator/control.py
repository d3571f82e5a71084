"""The endpoints under `/sim`, which Upbit does not have: state, shifts, faults, ground truth."""

from __future__ import annotations

import hmac
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pyarrow as pa
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from appliance.config.forms import shown
from appliance.config.reading import parse_json
from appliance.domain.candle import TIMEFRAMES
from appliance.errors import ConfigError
from appliance.simulator.book import Book
from appliance.simulator.connections import Connections
from appliance.simulator.exchange import Exchange
from appliance.simulator.options import parse_instant
from appliance.simulator.outages import break_connections
from appliance.simulator.shifts import shift_to_json
from appliance.simulator.simulated_time import to_ms
from appliance.simulator.truth import SCHEMA, truth
from appliance.simulator.windows import DAY, SECOND

_LONGEST_BODY = 65_536
_UNITS = {str(unit): unit for unit in (*TIMEFRAMES, DAY)} | {"1s": SECOND}

Handler = Callable[[Request], Awaitable[Response]]
_TOKEN_NEEDED = {
    "error": {
        "name": "token",
        "message": "control calls need the header Authorization: Bearer TOKEN, where TOKEN is in the "
        "home's secrets/simulator_token, or in what `appliance simulator` says at its start",
    }
}


class Control:
    """Handlers of the control endpoints."""

    def __init__(self, exchange: Exchange, connections: Connections) -> None:
        self._exchange = exchange
        self._connections = connections

    def routes(self) -> list[Route]:
        """Return the routes under `/sim`."""
        return [
            Route("/sim", self.describe),
            Route("/sim/shift", self._if_known(self.shift), methods=["POST"]),
            Route("/sim/fault", self._if_known(self.fault), methods=["POST"]),
            Route("/sim/truth/candles", self.truth),
        ]

    def _if_known(self, handler: Handler) -> Handler:
        """Return a handler for those who know the token: any user of the machine reaches the port."""
        expected = f"Bearer {self._exchange.options.token}".encode()

        async def guarded(request: Request) -> Response:
            given = request.headers.get("authorization", "").encode("latin-1")
            if not hmac.compare_digest(given, expected):
                return JSONResponse(_TOKEN_NEEDED, 401, {"WWW-Authenticate": "Bearer"})
            return await handler(request)

        return guarded

    async def describe(self, _request: Request) -> Response:
        """Return the simulator's state."""
        return JSONResponse(self._exchange.describe())

    async def shift(self, request: Request) -> Response:
        """Shift the market's regime."""
        return JSONResponse(shift_to_json(self._exchange.shift(await _fields(request))))

    async def fault(self, request: Request) -> Response:
        """Let a fault happen, at once unless the request says when."""
        occurrences = self._exchange.fault(await _fields(request))
        dropped = break_connections(self._exchange, self._connections)
        return JSONResponse({**occurrences[0].to_json(), "dropped": dropped})

    async def truth(self, request: Request) -> Response:
        """Return the closed candles of a market as an Arrow stream."""
        query = request.query_params
        book = self._exchange.book(query.get("market", ""))
        unit = _UNITS.get(query.get("unit", "1"))
        if book is None or unit is None:
            raise ConfigError(
                f"no truth for market {shown(query.get('market'))}, unit {shown(query.get('unit'))}",
                hint=f"markets: GET /sim; units: {', '.join(_UNITS)}",
            )
        now = self._exchange.time.now()
        start = to_ms(parse_instant(query["from"], "from")) if "from" in query else 0
        end = to_ms(parse_instant(query["to"], "to")) if "to" in query else now
        stream = _arrow(book, unit, start, end, now)
        return StreamingResponse(stream, media_type="application/vnd.apache.arrow.stream")


async def _arrow(book: Book, unit: int, start: int, end: int, now: int) -> AsyncIterator[bytes]:
    """Yield an Arrow IPC stream piece by piece, so that years do not pile up in memory."""
    sink = _Sink()
    with pa.ipc.new_stream(pa.PythonFile(sink, "w"), SCHEMA) as writer:
        async for batch in truth(book, unit, start, end, now):
            writer.write_batch(batch)
            yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """Keeps what is written until it is taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


async def _fields(request: Request) -> dict[str, Any]:
    """Return the JSON object of a control request; web pages, which send an Origin, may not ask."""
    if "origin" in request.headers:
        raise ConfigError("control requests from web pages are refused")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _LONGEST_BODY:
            raise ConfigError(f"the body is longer than {_LONGEST_BODY:,} bytes")
    try:
        fields = parse_json(bytes(body) or b"{}")
    except ValueError as error:
        raise ConfigError(f"the body is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise ConfigError("the body is not a JSON object")
    return fields
