"""The simulator as a process or a thread: one port for REST, WebSocket and control."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from appliance.errors import ConfigError
from appliance.simulator.exchange import Exchange
from appliance.simulator.faults import FaultKind, parse_fault
from appliance.simulator.options import HOST, SimulatorOptions
from appliance.simulator.rest import RestApi
from appliance.simulator.shifts import shift_to_json
from appliance.simulator.socket_protocol import UpbitSocketProtocol, drop_all
from appliance.simulator.stream import StreamConnection

_START_SECONDS = 15.0
_log = logging.getLogger(__name__)


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would end the process with the signal instead of 0."""

    def capture_signals(self) -> nullcontext[None]:  # type: ignore[override]
        return nullcontext()


def run_simulator(options: SimulatorOptions) -> None:
    """Serve until SIGTERM or SIGINT; the base URL goes to stdout, everything else to stderr.

    Raises:
        ConfigError: the port is taken, or a replay file or scenario cannot be used.
    """
    exchange = Exchange(options)
    listener = _listen(options.port)
    for line in exchange.narration():
        sys.stderr.write(f"simulator: {line}\n")
    sys.stdout.write(f"http://{HOST}:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    server = _server(exchange)

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, setattr, server, "should_exit", True)
        await server.serve(sockets=[listener])

    asyncio.run(serve())


@contextmanager
def embedded_simulator(options: SimulatorOptions) -> Iterator[str]:
    """Serve from a thread of this process while the context lasts; yields the base URL.

    Raises:
        ConfigError: the port is taken, or a replay file or scenario cannot be used.
    """
    exchange = Exchange(options)
    listener = _listen(options.port)
    server = _server(exchange)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="simulator", daemon=True
    )
    thread.start()
    try:
        yield f"http://{HOST}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(_START_SECONDS)


def build_app(exchange: Exchange) -> Starlette:
    """Return the ASGI application over an exchange."""
    rest = RestApi(exchange)

    async def stream(websocket: WebSocket) -> None:
        await StreamConnection(exchange, websocket).run()

    async def not_routed(_request: Request, _error: Exception) -> Response:
        return rest.not_routed()

    async def refused(_request: Request, error: Exception) -> Response:
        return JSONResponse({"error": {"name": "config", "message": str(error)}}, 400)

    return Starlette(
        routes=[
            *rest.routes(),
            WebSocketRoute("/websocket/v1", stream),
            *_control_routes(exchange),
        ],
        exception_handlers={404: not_routed, 405: not_routed, ConfigError: refused},
    )


def _control_routes(exchange: Exchange) -> list[Route]:
    """Return the endpoints under `/sim`, which Upbit does not have."""

    async def describe(_request: Request) -> Response:
        return JSONResponse(exchange.describe())

    async def shift(request: Request) -> Response:
        return JSONResponse(shift_to_json(exchange.shift(await _fields(request))))

    async def fault(request: Request) -> Response:
        armed = parse_fault(await _fields(request))
        if armed.kind is FaultKind.DROP:
            return JSONResponse({"dropped": drop_all()})
        exchange.faults.arm(armed)
        return JSONResponse({"kind": armed.kind.value, "count": armed.count})

    return [
        Route("/sim", describe),
        Route("/sim/shift", shift, methods=["POST"]),
        Route("/sim/fault", fault, methods=["POST"]),
    ]


async def _fields(request: Request) -> dict[str, Any]:
    """Return the JSON object of a control request; web pages, which send an Origin, may not ask."""
    if "origin" in request.headers:
        raise ConfigError("control requests from web pages are refused")
    try:
        fields = json.loads(await request.body() or b"{}")
    except ValueError as error:
        raise ConfigError(f"the body is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise ConfigError("the body is not a JSON object")
    return fields


def _server(exchange: Exchange) -> _Server:
    return _Server(
        uvicorn.Config(
            build_app(exchange),
            ws=UpbitSocketProtocol,
            ws_ping_interval=None,
            ws_ping_timeout=None,
            ws_per_message_deflate=True,
            date_header=False,
            server_header=False,
            access_log=False,
            log_level="warning",
            log_config=None,
            lifespan="off",
            timeout_keep_alive=30,
            timeout_graceful_shutdown=1,
        )
    )


def _listen(port: int) -> socket.socket:
    # asyncio leaves Nagle's delay (40 ms a reply) on unless the protocol is named here.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"port {port} on {HOST} cannot be used: {error.strerror}",
            code="simulator.port",
            hint="give another --port, or 0 for a free one",
        ) from error
    return listener
