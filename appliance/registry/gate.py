"""Who may speak to MLflow's server: an ASGI layer in front of its application.

A loopback port is open to every user of the machine and to every page in a browser on it. So each request,
of whatever kind and to whatever path, must name this machine in `Host` (another name comes by DNS rebinding),
must not come from another site's page, and must bring this home's credentials. Only `/health` needs none.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from appliance.registry.credentials import USER

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_LOCAL_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?")
"""This machine at any port: an SSH forward may listen on another one."""
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_OPEN_PATH, _OPEN_METHODS = "/health", frozenset({"GET", "HEAD"})
_OTHER_SITES = frozenset({b"cross-site", b"same-site"})
"""`same-site` is another port of this machine, and so perhaps another user's page."""
_POLICY_VIOLATION = 1008


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not let through."""

    status: HTTPStatus
    text: str


_MISDIRECTED = Refusal(
    HTTPStatus.FORBIDDEN, "The Host header must be localhost, 127.0.0.1 or [::1], with any port."
)
_CROSS_SITE = Refusal(HTTPStatus.FORBIDDEN, "Requests from other sites' pages are refused.")
_UNKNOWN = Refusal(
    HTTPStatus.UNAUTHORIZED,
    f"User {USER}, password in secrets/mlflow_password of the appliance's home. "
    'In a shell: eval "$(appliance env)"',
)


class Gate:
    """Lets an application see what this home's own clients and its operator's browser send.

    Args:
        application: what is protected.
        password: of the user `appliance`; accepted as bearer token as well.
    """

    def __init__(self, application: Application, password: str) -> None:
        self._application = application
        self._pair = f"{USER}:{password}".encode()
        self._token = password.encode()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or serve one connection."""
        kind = scope["type"]
        refusal = None if kind == "lifespan" else self._judge(scope)
        if refusal is None:
            await self._application(scope, receive, send)
        elif kind == "http":
            await _refuse(refusal, scope["method"], send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})

    def _judge(self, scope: Message) -> Refusal | None:
        headers: Headers = scope["headers"]
        host = _only(headers, b"host")
        if host is None or not _LOCAL_HOST.fullmatch(host):
            return _MISDIRECTED
        if not _is_own_page(scope, headers, host):
            return _CROSS_SITE
        if _is_open(scope) or self._is_known(_only(headers, b"authorization") or ""):
            return None
        return _UNKNOWN

    def _is_known(self, authorization: str) -> bool:
        scheme, _, value = authorization.partition(" ")
        match scheme.lower():
            case "basic":
                given, expected = _decoded(value.strip()), self._pair
            case "bearer":
                given, expected = value.strip().encode("latin-1"), self._token
            case _:
                return False
        return hmac.compare_digest(given, expected)


def _is_open(scope: Message) -> bool:
    is_request = scope["type"] == "http" and scope["method"] in _OPEN_METHODS
    return is_request and scope["path"] == _OPEN_PATH


def _is_own_page(scope: Message, headers: Headers, host: str) -> bool:
    """Return whether a request comes from no page, from one of this server, or by a link to it.

    A browser adds credentials that it knows to requests that any page causes. `Origin` comes with whatever
    could change something or be read; `Sec-Fetch-Site` with the rest, such as images and scripts.
    """
    origins = _all(headers, b"origin")
    if origins:
        return len(origins) == 1 and _is_same_place(origins[0], host)
    if not _OTHER_SITES.isdisjoint(_all_bytes(headers, b"sec-fetch-site")):
        is_link = _all_bytes(headers, b"sec-fetch-dest") == [b"document"]
        return scope["type"] == "http" and scope["method"] in _OPEN_METHODS and is_link
    return True


def _is_same_place(origin: str, host: str) -> bool:
    """Return whether an origin is this server's as the browser knows it."""
    scheme, _, place = origin.lower().partition("://")
    port = _DEFAULT_PORTS.get(scheme)
    return port is not None and place.removesuffix(port) == host.lower().removesuffix(port)


def _only(headers: Headers, name: bytes) -> str | None:
    """Return a header's value; None when it is missing or there are several."""
    values = _all(headers, name)
    return values[0] if len(values) == 1 else None


def _all(headers: Headers, name: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for value in _all_bytes(headers, name)]


def _all_bytes(headers: Headers, name: bytes) -> list[bytes]:
    return [value for key, value in headers if key.lower() == name]


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value.encode("latin-1"), validate=True)
    except binascii.Error:
        return b""


async def _refuse(refusal: Refusal, method: str, send: Send) -> None:
    body = f"{refusal.text}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode("ascii")),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    if refusal.status is HTTPStatus.UNAUTHORIZED:
        headers.append(
            (b"www-authenticate", b'Basic realm="MLflow of the appliance", charset="UTF-8"')
        )
    await send({"type": "http.response.start", "status": int(refusal.status), "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})
