"""The transports under HTTP and WebSocket: open connections that can be broken, and idle limits."""

from __future__ import annotations

import asyncio
import socket
import struct
import weakref
from asyncio.transports import BaseTransport, Transport
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

IDLE_SECONDS = 60.0
TRANSPORT = "simulator.transport"
"""Key of the connection's transport in the `extensions` of an HTTP scope."""


class Connections:
    """The open connections of one simulator; `is_out` says whether new sockets are dropped."""

    def __init__(self) -> None:
        self.is_out: Callable[[], bool] = lambda: False
        self._http: weakref.WeakSet[HttpConnection] = weakref.WeakSet()
        self._sockets: weakref.WeakSet[SocketConnection] = weakref.WeakSet()

    def http(self, **arguments: Any) -> HttpConnection:
        """Return the protocol of a new HTTP connection, for uvicorn."""
        connection = HttpConnection(**arguments)
        self._http.add(connection)
        return connection

    def socket(self, **arguments: Any) -> SocketConnection:
        """Return the protocol of a new WebSocket connection, for uvicorn."""
        connection = SocketConnection(**arguments)
        connection.is_refused = self.is_out
        self._sockets.add(connection)
        return connection

    def drop_sockets(self) -> int:
        """Break every WebSocket without a close frame; return how many."""
        return sum(_drop(one.transport) for one in list(self._sockets))

    def drop_all(self) -> int:
        """Break every WebSocket and every HTTP connection that serves or served `/v1`."""
        used = [one for one in list(self._http) if one.has_served_upbit]
        return self.drop_sockets() + sum(_drop(one.transport) for one in used)


def _drop(transport: Transport | None) -> bool:
    if transport is None or transport.is_closing():
        return False
    transport.abort()
    return True


def reset(transport: Transport) -> None:
    """Break a connection with a TCP reset, unless its client has left already."""
    if transport.is_closing():
        return
    transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    transport.abort()


class HttpConnection(HttpToolsProtocol):
    """Hands its transport to the application, which a fault may break."""

    has_served_upbit = False

    def on_message_begin(self) -> None:
        """Start a request whose scope knows the transport."""
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: {"connection": self}}


class SocketConnection(WebSocketsSansIOProtocol):
    """Ends without a close frame (1006) when no frame, ping included, arrived for 60 s."""

    idle_timer: asyncio.TimerHandle | None = None
    is_refused: Callable[[], bool] = staticmethod(lambda: False)

    def connection_made(self, transport: BaseTransport) -> None:
        """Start to count idle time; in an outage the connection ends here."""
        super().connection_made(transport)
        self._restart_idle_timer()
        if self.is_refused():
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Start again to count idle time."""
        self._restart_idle_timer()
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop counting."""
        if self.idle_timer is not None:
            self.idle_timer.cancel()
        super().connection_lost(exc)

    def _restart_idle_timer(self) -> None:
        if self.idle_timer is not None:
            self.idle_timer.cancel()
        self.idle_timer = self.loop.call_later(IDLE_SECONDS, self.transport.abort)
