"""The control API over HTTP on a unix socket, inside the supervisor's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from appliance.control import wire
from appliance.control.api import Control
from appliance.control.hub import Hub
from appliance.control.peer import PEER, PeerProtocol, vouched
from appliance.domain.origin import ORIGIN
from appliance.errors import ApplianceError, ServiceError

_log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 1.5
"""Longest silence on the stream; clients take three times as much for a dead connection."""
_GRACEFUL_SECONDS = 2


Hear = Callable[[str, Mapping[str, object], bytes | ApplianceError], None]


def build_app(control: Control, hub: Hub, hear: Hear = lambda *_: None) -> Starlette:
    """Return the ASGI app that serves `control` and the changes that `hub` publishes.

    `hear` is told what each operation that reads was asked, and its answer; it must not block.
    """
    routes = [_operation_route(control, name, "GET", hear) for name in sorted(wire.READS)]
    routes += [
        _operation_route(control, name, "POST", lambda *_: None) for name in sorted(wire.ACTIONS)
    ]

    async def stream(_: Request) -> StreamingResponse:
        headers = {"Cache-Control": "no-store"}
        return StreamingResponse(_messages(hub), media_type="text/event-stream", headers=headers)

    routes.append(Route(f"{wire.API_PREFIX}{wire.STREAM}", stream, methods=["GET"]))
    handlers = {ApplianceError: _refuse, 404: _no_such_operation, 500: _internal}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.state.hub = hub
    return app


def _operation_route(control: Control, name: str, method: str, hear: Hear) -> Route:
    operation: Callable[..., object] = getattr(control, name)

    async def endpoint(request: Request) -> Response:
        raw = dict(request.query_params) if method == "GET" else await request.body()
        arguments = wire.decode_arguments(name, raw)
        if ORIGIN in arguments:
            arguments[ORIGIN] = vouched(arguments[ORIGIN], getattr(request.state, PEER))
        try:
            result = await run_in_threadpool(operation, **arguments)
        except ApplianceError as error:
            hear(name, arguments, error)
            raise
        body = wire.encode_result(name, result)
        hear(name, arguments, body)
        return Response(body, media_type="application/json")

    return Route(f"{wire.API_PREFIX}{name}", endpoint, methods=[method])


async def _messages(hub: Hub) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()
    subscription = hub.subscribe(lambda: _wake(loop, changed))
    try:
        while not hub.is_closed:
            changed.clear()
            for message in subscription.drain():
                yield b"data: " + wire.encode_message(message) + b"\n\n"
            try:
                await asyncio.wait_for(changed.wait(), HEARTBEAT_SECONDS)
            except TimeoutError:
                yield b": heartbeat\n\n"
    finally:
        subscription.close()


def _wake(loop: asyncio.AbstractEventLoop, changed: asyncio.Event) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has just closed
        loop.call_soon_threadsafe(changed.set)


async def _refuse(_: Request, error: Exception) -> Response:
    if not isinstance(error, ApplianceError):
        raise error
    return _error_response(error, wire.http_status(error))


async def _no_such_operation(request: Request, _: Exception) -> Response:
    error = ServiceError(f"no such operation: {request.url.path}", code="control.unknown")
    return _error_response(error, 404)


async def _internal(request: Request, error: Exception) -> Response:
    _log.error("operation=%s failed", request.url.path, exc_info=error)
    problem = ServiceError(
        f"{request.url.path} failed: {type(error).__name__}",
        code="control.internal",
        hint="appliance logs supervisor",
    )
    return _error_response(problem, 500)


def _error_response(error: ApplianceError, status: int) -> Response:
    return Response(wire.encode_error(error), status, media_type="application/json")


class _EmbeddedServer(uvicorn.Server):
    """Leaves the process's signal handlers alone: they belong to the supervisor."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class ControlServer:
    """Serves an app on a unix socket (0600) within the running event loop."""

    def __init__(self, app: Starlette, socket_path: Path) -> None:
        self._path = socket_path
        self._hub: Hub = app.state.hub
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            http=PeerProtocol,
            ws="none",
            timeout_graceful_shutdown=_GRACEFUL_SECONDS,
        )
        self._server = _EmbeddedServer(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Bind the socket and return once requests are answered.

        A socket file left by a dead supervisor is replaced: the caller holds the home's lock.
        """
        listener = _bind(self._path)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))
        listening = asyncio.create_task(self._server.is_listening.wait())
        await asyncio.wait({self._task, listening}, return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        if self._task.done():
            self._task.result()

    async def stop(self) -> None:
        """Answer what is under way, end the streams, and remove the socket."""
        if self._task is not None:
            self._hub.close()
            self._server.should_exit = True
            await self._task
            self._task = None
        self._path.unlink(missing_ok=True)


def _bind(path: Path) -> socket.socket:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    previous = os.umask(0o177)
    try:
        listener.bind(os.fspath(path))
    finally:
        os.umask(previous)
    listener.listen(64)
    listener.setblocking(False)
    return listener
