"""Keeps other sites' pages in a browser of this machine away from a web application on loopback.

A page of any site can make the browser send requests to a port of this machine, with what the browser knows
of passwords and cookies. So each request must name this machine in `Host` (another name comes by DNS
rebinding), and must not come from another site's page; another port of this machine is another site.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

READING = frozenset({"GET", "HEAD"})
_LOCAL_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?")
"""This machine at any port: an SSH forward may listen on another one."""
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_OTHER_SITES = frozenset({b"cross-site", b"same-site"})
"""`same-site` is another port of this machine, and so perhaps another user's page."""
_POLICY_VIOLATION = 1008


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not let through."""

    status: HTTPStatus
    text: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


_MISDIRECTED = Refusal(
    HTTPStatus.FORBIDDEN, "The Host header must be localhost, 127.0.0.1 or [::1], with any port."
)
_CROSS_SITE = Refusal(HTTPStatus.FORBIDDEN, "Requests from other sites' pages are refused.")


class LocalPages:
    """Lets an application see what its own pages and programs send, of every kind and to every path.

    Args:
        application: what is protected.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or serve one connection."""
        kind = scope["type"]
        refusal = None if kind == "lifespan" else self.judge(scope)
        if refusal is None:
            await self._application(scope, receive, send)
        elif kind == "http":
            await _refuse(refusal, scope["method"], send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})

    def judge(self, scope: Message) -> Refusal | None:
        """Return why a request is refused, None when it is let through."""
        headers: Headers = scope["headers"]
        host = only(headers, b"host")
        if host is None or not _LOCAL_HOST.fullmatch(host):
            return _MISDIRECTED
        return None if _is_own_page(scope, headers, host) else _CROSS_SITE


def _is_own_page(scope: Message, headers: Headers, host: str) -> bool:
    """Return whether a request comes from no page, from one of this server, or by a link to it.

    `Origin` comes with whatever could change something or be read by the page; `Sec-Fetch-Site` with the
    rest, such as images and scripts.
    """
    origins = _all(headers, b"origin")
    if origins:
        return len(origins) == 1 and _is_same_place(origins[0].decode("latin-1"), host)
    if not _OTHER_SITES.isdisjoint(_all(headers, b"sec-fetch-site")):
        is_link = _all(headers, b"sec-fetch-dest") == [b"document"]
        return scope["type"] == "http" and scope["method"] in READING and is_link
    return True


def _is_same_place(origin: str, host: str) -> bool:
    """Return whether an origin is this server's as the browser knows it."""
    scheme, _, place = origin.lower().partition("://")
    port = _DEFAULT_PORTS.get(scheme)
    return port is not None and place.removesuffix(port) == host.lower().removesuffix(port)


def only(headers: Headers, name: bytes) -> str | None:
    """Return a header's value; None when it is missing or there are several."""
    values = _all(headers, name)
    return values[0].decode("latin-1") if len(values) == 1 else None


def _all(headers: Headers, name: bytes) -> list[bytes]:
    return [value.strip() for key, value in headers if key.lower() == name]


async def _refuse(refusal: Refusal, method: str, send: Send) -> None:
    body = f"{refusal.text}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode("ascii")),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *refusal.headers,
    ]
    await send({"type": "http.response.start", "status": int(refusal.status), "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})
