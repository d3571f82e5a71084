"""Replies as Upbit sends them: headers, error bodies, compression."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field

from appliance.simulator.limits import Verdict
from appliance.simulator.lru import LruCache

_GZIP_FROM_BYTES = 1024
_HTML = (
    b"<!DOCTYPE html><html><head><title>Upbit</title></head><body>Under maintenance</body></html>"
)
_FIXED_HEADERS = [
    (b"Content-Type", b"application/json;charset=UTF-8"),
    (b"Cache-Control", b"no-cache, no-store, max-age=0, must-revalidate"),
    (b"Pragma", b"no-cache"),
    (b"Expires", b"0"),
    (
        b"Vary",
        b"origin,access-control-request-method,access-control-request-headers,accept-encoding",
    ),
]

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP reply."""

    status: int
    body: bytes
    headers: Headers = field(default_factory=list)


class Refusal(Exception):
    """A request that gets an error body; `name` equals the status on this API."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def json_reply(status: int, body: bytes, headers: Headers, packed: bytes | None) -> Reply:
    """Return a reply of the quotation API; `packed` is the body in gzip for clients that take it."""
    sent = body if packed is None else packed
    etag = b'W/"0%032x"' % (zlib.crc32(sent) << 64 | len(sent))
    headers = [*headers, *_FIXED_HEADERS, (b"ETag", etag)]
    if packed is not None:
        headers.append((b"Content-Encoding", b"gzip"))
    return Reply(status, sent, headers)


def html_reply(headers: Headers) -> Reply:
    """Return a page with status 200."""
    return Reply(200, _HTML, [*headers, (b"Content-Type", b"text/html; charset=utf-8")])


def not_routed(date: bytes) -> Reply:
    """Return the gateway's reply to an unknown path: string name, no Remaining-Req."""
    body = error_body("not_found", "no Route matched with those values")
    return Reply(404, body, [(b"Date", date), (b"Content-Type", b"application/json")])


def too_long(date: bytes) -> Reply:
    """Return the gateway's reply to a query that is too long."""
    body = error_body("uri_too_long", "Request-URI Too Long")
    return Reply(414, body, [(b"Date", date), (b"Content-Type", b"application/json")])


def over_limit(verdict: Verdict, headers: Headers) -> Reply:
    """Return the reply to a request that does not pass."""
    if verdict.status == 429:
        text = (b"Content-Type", b"text/plain; charset=utf-8")
        return Reply(429, b"Too many API requests.", [*headers, text])
    message = "Internal server error"
    if verdict.status == 418:
        message = f"Too many API requests. Blocked for {verdict.blocked_seconds:.0f} seconds."
    body = error_body(verdict.status, message)
    return Reply(verdict.status, body, [*headers, (b"Content-Type", b"application/json")])


def error_body(name: int | str, message: str) -> bytes:
    """Return the JSON of an error."""
    return json.dumps({"error": {"name": name, "message": message}}, separators=(",", ":")).encode()


def is_worth_packing(body: bytes) -> bool:
    """Whether Upbit would compress a body of this size."""
    return len(body) >= _GZIP_FROM_BYTES


def gzip(body: bytes, cache: LruCache[object, bytes], key: object) -> bytes:
    """Return a body in gzip; `key` names one that never changes, None another."""
    if key is None:
        return _pack(body)
    return cache.get_or(key, lambda: _pack(body))


def _pack(body: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return packer.compress(body) + packer.flush()
