"""Requests that a simulator must answer well: right ones, odd ones and nonsense, from tables and a seed."""

from __future__ import annotations

import http.client
import json
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from tests.simulator_fixtures import CONTROL

MARKETS = (
    *(
        "KRW-BTC",
        "krw-btc",
        "KRW-NOPE",
        "KRW-BTC,KRW-DOGE",
        "",
        "-",
        "KRW",
        "KRW-BTC ",
        "null",
        "[]",
    ),
    *(
        "../../etc/passwd",
        "\x00",
        "\udcff\udcfe",
        "가나다",
        "A" * 5000,
        "KRW-BTC\r\nX: 1",
        "%",
        "ß-ﬁ",
    ),
)
COUNTS = (
    *(
        "1",
        "200",
        "201",
        "100000",
        "0",
        "-1",
        "abc",
        "1.5",
        "1e3",
        "1_0",
        " 5",
        "+5",
        "0x10",
        "٣",
        "²",
    ),
    *("9" * 400, "NaN", "Infinity", "-0", "true", "[]", "１"),
)
TIMES = (
    *(
        "2026-01-05T11:00:00Z",
        "2026-01-05 11:00:00",
        "2026-01-05T11:00:00",
        "2026-01-05T20:00:00+09:00",
    ),
    *(
        "2026-01-05T11:00:00.000Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-23:59",
    ),
    *(
        "0001-01-01T00:00:00+23:59",
        "10000-01-01T00:00:00Z",
        "0000-01-01",
        "2026-02-30T00:00:00Z",
        "now",
        "-1",
    ),
    *(
        "1767600000",
        "2026-01-05T25:00:00Z",
        "2026-01-05T11:00:60Z",
        "20260105",
        "2026-W02-1",
        "NaN",
        "\x00",
    ),
    *(
        "2026-01-05T11:00:00+99:00",
        "２０２６-01-05T11:00:00Z",
        "2026-01-05T11:00:00Z" * 50,
        "1970-01-01T00:00:00Z",
    ),
)
UNITS = (
    *(
        "1",
        "3",
        "240",
        "0",
        "-1",
        "2",
        "120",
        "999999999999",
        "²",
        "٣",
        "1.0",
        "1e0",
        "abc",
        "",
        "1/2",
        "01",
    ),
    *("%00", "%ff", "NaN", "..%2f..%2fsim", "1%20"),
)
CANDLES = ("seconds", "minutes/1", "minutes/60", "days", "weeks", "months", "years")
NUMBERS = (
    *(
        "0",
        "-1",
        "1.5",
        "1e400",
        "-1e400",
        "NaN",
        "Infinity",
        "-Infinity",
        "1e300",
        '"3"',
        '"x"',
        "true",
    ),
    *("null", "[]", "{}", "9" * 400, '""', '"\\u0000"', '"\\ud800"'),
)
SHIFT_KEYS = (
    "volatility",
    "volume",
    "drift",
    "duration_seconds",
    "after_seconds",
    "at",
    "market",
    "no_such",
)
FAULT_KEYS = (
    "count",
    "seconds",
    "real_seconds",
    "times",
    "per_hour",
    "after_seconds",
    "at",
    "no_such",
)
BODIES = (
    *(
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"1",
        b"{",
        b"\xff\xfe",
        b"[" * 50_000,
        b'{"a":' * 20_000,
        b"{}{}",
    ),
    *(
        b'{"volatility": 2' + b" " * 70_000 + b"}",
        b"\x00",
        b"a=1&b=2",
        '{"market": "가"}'.encode("utf-16"),
    ),
)
FRAMES = (
    *("", "x", "PING", "null", "1", '"x"', "{}", "[]", "[[]]", "[1]", '[{"ticket":1}]', '[{"ticket":"a"},{"type":1}]'),
    *('[{"ticket":"a"},{"type":[]}]', '[{"ticket":"a"},{"type":{}}]', '[{"ticket":"a"},{"type":null,"codes":["KRW-BTC"]}]'),
    *('[{"ticket":"a"},{"type":"ticker"}]', '[{"ticket":"a"},{"type":"ticker","codes":"KRW-BTC"}]'),
    *('[{"ticket":"a"},{"type":"ticker","codes":[1,null,{},[]]}]', '[{"ticket":"a"},{"type":"ticker","codes":{}}]'),
    *('[{"ticket":"a"},{"type":"candle.2m","codes":["KRW-BTC"]}]', '[{"ticket":"a"},{"type":"ticker","codes":["KRW-BTC"]},{"format":1}]'),
    *('[{"ticket":"a"},{"type":"ticker","codes":["KRW-BTC"]},{"format":[]}]', '[{"ticket":"a"},{"type":"trade","codes":["KRW-BTC"]}]'),
    *('[{"ticket":NaN},{"type":"ticker","codes":["KRW-BTC"]}]', "[" * 50_000, '{"a":' * 20_000),
    *('[{"ticket":"a"},{"type":"ticker","codes":["\\ud800","\\u0000"]}]', '[{"ticket":"a"},{"type":"ticker","codes":["KRW-BTC"],"is_only_snapshot":"x"}]'),
)  # fmt: skip
"""Messages of a WebSocket client."""


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request as bytes; `target` is what stands behind the method."""

    method: str
    target: bytes
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def __str__(self) -> str:
        return f"{self.method} {self.target[:200]!r} {dict(self.headers)} {self.body[:120]!r}"

    def send(self, where: str | Path) -> tuple[int, bytes, str]:
        """Return (status, body, content type) of the answer of a base URL or a unix socket."""
        with _connection(where) as connection:
            lines = ["Host: 127.0.0.1", "Connection: close"]
            lines += [f"{name}: {value}" for name, value in self.headers.items()]
            if self.body or self.method == "POST":
                lines.append(f"Content-Length: {len(self.body)}")
            head = self.method.encode() + b" " + self.target + b" HTTP/1.1\r\n"
            connection.sendall(head + "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body)
            response = http.client.HTTPResponse(connection, method=self.method)
            response.begin()
            return response.status, response.read(), response.getheader("Content-Type", "")


def _connection(where: str | Path) -> socket.socket:
    if isinstance(where, str):
        parts = urlsplit(where)
        return socket.create_connection((str(parts.hostname), int(parts.port or 0)), 20)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(20)
    connection.connect(str(where))
    return connection


def http_requests(seed: int = 7) -> list[RawRequest]:
    """Return all requests, the same for the same seed."""
    return [*_candles(), *_units(), *_others(), *_truth(), *_posts(), *_random(seed)]


def _get(path: str, **parameters: str) -> RawRequest:
    query = "&".join(f"{name}={_quoted(value)}" for name, value in parameters.items())
    return RawRequest("GET", f"{path}?{query}".encode())


def _quoted(value: str) -> str:
    return quote(value, safe="", errors="surrogateescape")


def _candles() -> Iterator[RawRequest]:
    for market in MARKETS:
        yield _get("/v1/candles/minutes/1", market=market)
    for count in COUNTS:
        yield _get("/v1/candles/minutes/1", market="KRW-BTC", count=count)
    for at in TIMES:
        for kind in ("minutes/1", "seconds", "days", "years"):
            yield _get(f"/v1/candles/{kind}", market="KRW-BTC", to=at, count="2")


def _units() -> Iterator[RawRequest]:
    for unit in UNITS:
        yield _get(
            f"/v1/candles/minutes/{_quoted(unit) if '%' not in unit else unit}", market="KRW-BTC"
        )


def _others() -> Iterator[RawRequest]:
    for market in MARKETS:
        yield _get("/v1/ticker", markets=market)
        yield _get("/v1/ticker/all", quote_currencies=market)
    for value in ("KRW", "krw", "USD", "", "\x00", "가"):
        yield _get("/v1/candles/days", market="KRW-BTC", converting_price_unit=value)
    for path in (
        "/v1",
        "/v1/",
        "/v1/none",
        "/v2/candles",
        "//v1/ticker",
        "/",
        "/sim/none",
        "/v1/candles/minutes",
    ):
        yield _get(path)
    for method in ("POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "BREW"):
        yield RawRequest(method, b"/v1/candles/minutes/1?market=KRW-BTC")
    for target in (
        b"/v1/ticker?markets=\xff\xfe",
        b"/v1/ticker?&&==&%zz",
        b"/v1/ticker?" + b"a=1&" * 20_000,
    ):
        yield RawRequest("GET", target)
    for headers in (
        {"Accept-Encoding": "gzip, nonsense"},
        {"Origin": "https://x"},
        {"Accept": "\xff"},
    ):
        yield RawRequest("GET", b"/v1/candles/minutes/1?market=KRW-BTC&count=200", headers)


def _truth() -> Iterator[RawRequest]:
    for at in TIMES:
        yield _get(
            "/sim/truth/candles", market="KRW-BTC", unit="60", **{"from": at, "to": "2026-01-05"}
        )
    for unit in UNITS:
        yield _get("/sim/truth/candles", market="KRW-BTC", unit=unit, **{"from": "2026-01-05"})


def _posts() -> Iterator[RawRequest]:
    for path in (b"/sim/shift", b"/sim/fault"):
        for body in BODIES:
            yield RawRequest("POST", path, CONTROL, body)
    for key in SHIFT_KEYS:
        for value in NUMBERS:
            yield RawRequest("POST", b"/sim/shift", CONTROL, f'{{"{key}": {value}}}'.encode())
    for key in FAULT_KEYS:
        for value in NUMBERS[::2]:
            body = f'{{"kind": "late", "late_seconds": 5, "seconds": 60, "{key}": {value}}}'
            yield RawRequest("POST", b"/sim/fault", CONTROL, body.encode())
    for kind in ("", "none", "429", "skew", "latency", "timeout", "\x00"):
        body = json.dumps({"kind": kind, "skew_seconds": 1e11, "latency_ms": 1e11, "seconds": 1})
        yield RawRequest("POST", b"/sim/fault", CONTROL, body.encode())


def _random(seed: int) -> Iterator[RawRequest]:
    chance = random.Random(seed)
    for _ in range(60):
        yield _get(
            f"/v1/candles/{chance.choice(CANDLES)}",
            market=chance.choice(MARKETS),
            count=chance.choice(COUNTS),
            to=chance.choice(TIMES),
        )
