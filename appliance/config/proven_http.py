"""An httpx transport that sends nothing before the listener has proved to be this home's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from appliance.config.listeners import Listener, UnprovenListener, listener_at, prove
from appliance.config.paths import Paths

_OPENING = "connection.connect_tcp.started"
_OPEN = "connection.connect_tcp.complete"


class ProvenTransport(httpx.HTTPTransport):
    """Reaches one service of this home and nobody else.

    A listener that does not prove itself is a `ConnectError`, as if nobody listened. A kept-alive
    connection was proven when it was opened.
    """

    def __init__(self, paths: Paths, service: str) -> None:
        super().__init__(verify=False, trust_env=False)  # loopback: nothing to verify by TLS
        self._paths = paths
        self._service = service

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request over a proven connection."""
        request.extensions = {
            **request.extensions,
            "trace": _Witness(self._paths, self._service, request),
        }
        return super().handle_request(request)


class _Witness:
    """Watches the opening of a connection (httpcore's `trace` extension).

    httpcore tells of a connection before it is opened and once it is open, before it writes to it.
    """

    def __init__(self, paths: Paths, service: str, request: httpx.Request) -> None:
        self._paths = paths
        self._service = service
        self._request = request
        self._listener: Listener | None = None

    def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        try:
            if event == _OPENING:
                self._listener = listener_at(
                    self._paths, self._service, (info["host"], info["port"])
                )
            elif event == _OPEN and self._listener is not None:
                prove(self._listener)
        except UnprovenListener as error:
            if event == _OPEN:
                info["return_value"].close()
            raise httpx.ConnectError(error.message, request=self._request) from error
