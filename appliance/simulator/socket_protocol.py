"""The transport quirks of Upbit's WebSocket: a client that says nothing for a minute is dropped."""

from __future__ import annotations

import asyncio
import weakref
from asyncio.transports import BaseTransport

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

IDLE_SECONDS = 60.0

_open: weakref.WeakSet[UpbitSocketProtocol] = weakref.WeakSet()


class UpbitSocketProtocol(WebSocketsSansIOProtocol):
    """Ends without a close frame (1006) when no frame, ping included, arrived for 60 s."""

    idle_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Start to count idle time."""
        super().connection_made(transport)
        _open.add(self)
        self._restart_idle_timer()

    def data_received(self, data: bytes) -> None:
        """Start again to count idle time."""
        self._restart_idle_timer()
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop counting."""
        _open.discard(self)
        if self.idle_timer is not None:
            self.idle_timer.cancel()
        super().connection_lost(exc)

    def _restart_idle_timer(self) -> None:
        if self.idle_timer is not None:
            self.idle_timer.cancel()
        self.idle_timer = self.loop.call_later(IDLE_SECONDS, self.transport.abort)


def drop_all() -> int:
    """Break every open connection without a close frame; return how many."""
    dropped = list(_open)
    for protocol in dropped:
        protocol.transport.abort()
    return len(dropped)
