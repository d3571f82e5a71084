"""The simulator as a process or a thread: one port for REST, WebSocket and control."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, cast

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from appliance.config.handover import inherited_listener
from appliance.config.loopback import HOST
from appliance.errors import ConfigError
from appliance.simulator.connections import IDLE_SECONDS, Connections
from appliance.simulator.control import Control
from appliance.simulator.exchange import Exchange
from appliance.simulator.options import SimulatorOptions
from appliance.simulator.outages import watch
from appliance.simulator.replies import not_routed
from appliance.simulator.rest import RestApi
from appliance.simulator.stream import StreamConnection

_START_SECONDS = 15.0


class _Server(uvicorn.Server):
    """Carries out scripted outages; leaves signals to us, for uvicorn would end the process by them."""

    def __init__(
        self,
        config: uvicorn.Config,
        exchange: Exchange,
        connections: Connections,
        on_started: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._watched = exchange, connections
        self._on_started = on_started

    def capture_signals(self) -> nullcontext[None]:  # type: ignore[override]
        return nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_started()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        watching = asyncio.create_task(watch(*self._watched))
        try:
            await super().serve(sockets)
        finally:
            watching.cancel()


def run_simulator(options: SimulatorOptions, *, tells_token: bool = False) -> None:
    """Serve until SIGTERM or SIGINT; the base URL goes to stdout, everything else to stderr.

    A listening socket that the supervisor hands over is served on, whatever `options.port` says.

    Args:
        options: what to serve.
        tells_token: whether to show a control call with its token.

    Raises:
        ConfigError: the port is taken, or a replay, scenario or fault file cannot be used.
    """
    exchange = Exchange(options)
    inherited = inherited_listener()
    listener = inherited.socket if inherited else _listen(options.port)
    url = f"http://{HOST}:{listener.getsockname()[1]}"
    for line in exchange.narration():
        sys.stderr.write(f"simulator: {line}\n")
    if tells_token:
        sys.stderr.write(f"simulator: to let something go wrong:\n{_control_call(url, options)}\n")
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()
    server = _server(exchange, inherited.announce if inherited else lambda: None)

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, setattr, server, "should_exit", True)
        await server.serve(sockets=[listener])

    uvloop.run(serve())


def _control_call(url: str, options: SimulatorOptions) -> str:
    return (
        f"curl -X POST {url}/sim/fault -H 'Authorization: Bearer {options.token}' "
        """-H 'Content-Type: application/json' -d '{"kind": "outage", "seconds": 10}'"""
    )


@contextmanager
def embedded_simulator(options: SimulatorOptions) -> Iterator[str]:
    """Serve from a thread of this process while the context lasts; yields the base URL.

    Raises:
        ConfigError: the port is taken, or a replay, scenario or fault file cannot be used.
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


class SimulatorApp:
    """The ASGI application over an exchange: `/v1` without a framework, the rest with one."""

    def __init__(self, exchange: Exchange, connections: Connections) -> None:
        self._rest = RestApi(exchange)

        async def stream(websocket: WebSocket) -> None:
            await StreamConnection(exchange, websocket).run()

        self._others = Starlette(
            routes=[
                WebSocketRoute("/websocket/v1", stream),
                *Control(exchange, connections).routes(),
            ],
            exception_handlers={
                404: self._not_routed,
                405: self._not_routed,
                ConfigError: _refused,
            },
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request or serve one socket."""
        if scope["type"] == "http" and scope["path"].startswith("/v1/"):
            await self._rest(scope, receive, send)
        else:
            await self._others(scope, receive, send)

    async def _not_routed(self, _request: Request, _error: Exception) -> Response:
        reply = not_routed(self._rest.date())
        return Response(
            reply.body, reply.status, {k.decode(): v.decode() for k, v in reply.headers}
        )


async def _refused(_request: Request, error: Exception) -> Response:
    hint = getattr(error, "hint", "")
    message = f"{error} ({hint})" if hint else str(error)
    return JSONResponse({"error": {"name": "config", "message": message}}, 400)


def _server(exchange: Exchange, on_started: Callable[[], None] = lambda: None) -> _Server:
    connections = Connections()
    connections.is_out = exchange.is_out
    return _Server(
        uvicorn.Config(
            SimulatorApp(exchange, connections),
            loop="uvloop",
            http=cast("Any", connections.http),
            ws=cast("Any", connections.socket),
            ws_ping_interval=None,
            ws_ping_timeout=None,
            ws_per_message_deflate=True,
            date_header=False,
            server_header=False,
            access_log=False,
            log_level="warning",
            log_config=None,
            lifespan="off",
            timeout_keep_alive=int(IDLE_SECONDS),
            timeout_graceful_shutdown=1,
        ),
        exchange,
        connections,
        on_started,
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
