"""Serve an ASGI application on the listening socket that the supervisor has opened.

`python -m appliance.supervisor.asgi_service MODULE:NAME`
"""

from __future__ import annotations

import socket
import sys
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from appliance.config.handover import VARIABLE, InheritedListener, inherited_listener

SHUTDOWN_SECONDS = 5


class AnnouncingServer(uvicorn.Server):
    """Tells the supervisor when it accepts connections."""

    def __init__(self, config: uvicorn.Config, listener: InheritedListener) -> None:
        super().__init__(config)
        self._listener = listener

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve, then say so."""
        await super().startup(sockets)
        self._listener.announce()


def serve(application: str, **options: Any) -> None:
    """Serve `MODULE:NAME` until SIGTERM; `options` are uvicorn's.

    Raises:
        SystemExit: not started with a listener, or the application did not start.
    """
    listener = inherited_listener()
    if listener is None:
        sys.exit(f"the supervisor starts this, with a listening socket in {VARIABLE}")
    config = uvicorn.Config(
        application,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        **options,
    )
    server = AnnouncingServer(config, listener)
    server.run(sockets=[listener.socket])
    if not server.started:
        sys.exit(STARTUP_FAILURE)


if __name__ == "__main__":
    serve(sys.argv[1], log_level="warning")
