"""Odd requests get a well-formed answer of the right status, and change nothing."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from websockets.sync.client import connect

from tests.simulator_fixtures import CONTROL, running_simulator

CANDLES = "/v1/candles/minutes/1?market=KRW-BTC"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_simulator() as served:
        yield served


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/v1/candles/minutes/%C2%B2?market=KRW-BTC", 400, "specified unit"),
        ("/v1/candles/minutes/01?market=KRW-BTC", 400, "specified unit"),
        (f"/v1/candles/minutes/{'9' * 5000}?market=KRW-BTC", 400, "specified unit"),
        (f"{CANDLES}&count=1_0", 400, "Type mismatch"),
        (f"{CANDLES}&count=%D9%A3", 400, "Type mismatch"),
        (f"{CANDLES}&count={'9' * 5000}", 400, "Type mismatch"),
        (f"{CANDLES}&count=-1", 400, "Invalid parameter"),
        (f"{CANDLES}&to=2026-W02-1", 400, "Invalid parameter"),
        (f"{CANDLES}&to=10000-01-01T00:00:00Z", 400, "Invalid parameter"),
        (f"{CANDLES}&to=2026-01-05T20:00:00+09:00", 400, "Invalid parameter"),  # + is a space
        ("/v1/candles/minutes/1?market=%00", 404, "Code not found"),
        (f"/v1/ticker?markets={'A' * 20_000}", 414, "Too Long"),
    ],
)
def test_an_odd_query_is_refused_in_upbits_form(
    url: str, path: str, status: int, message: str
) -> None:
    reply = httpx.get(url + path)
    assert reply.status_code == status
    assert message in reply.json()["error"]["message"]


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59"])
def test_a_far_end_gives_the_newest_candles(url: str, at: str) -> None:
    assert httpx.get(f"{url}{CANDLES}&to={at}").json()[0]["market"] == "KRW-BTC"


def test_a_time_before_the_market_gives_nothing(url: str) -> None:
    assert httpx.get(f"{url}{CANDLES}&to=0001-01-01T00:00:00Z").json() == []


def test_only_reading_is_routed(url: str) -> None:
    assert httpx.post(url + CANDLES).status_code == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("shift", b'{"duration_seconds": NaN}'),
        ("shift", b'{"after_seconds": 1e400}'),
        ("shift", b'{"after_seconds": 1e300}'),
        ("shift", b'{"drift": 1e308}'),
        ("shift", b'{"volatility": true}'),
        ("shift", b'{"market": {}}'),
        ("shift", b'{"market": "KRW-NOPE"}'),
        ("shift", b'{"at": "9999-12-31T23:59:59Z"}'),
        ("shift", b"[" * 50_000),
        ("shift", b'{"a":' * 20_000),
        ("shift", b"\xff\xfe"),
        ("shift", b" " * 100_000),
        ("fault", b'{"kind": "skew", "skew_seconds": 1e11, "seconds": 1}'),
        ("fault", b'{"kind": "html", "times": 1e11}'),
        ("fault", b'{"kind": "html", "count": 1.5}'),
        ("fault", b'{"kind": ["html"]}'),
    ],
)
def test_an_odd_control_request_changes_nothing(url: str, path: str, body: bytes) -> None:
    before = httpx.get(f"{url}/sim").json()
    reply = httpx.post(f"{url}/sim/{path}", content=body, headers=CONTROL)
    assert reply.status_code == 400
    assert reply.json()["error"]["message"]
    after = httpx.get(f"{url}/sim").json()
    assert (after["shifts"], after["faults"]) == (before["shifts"], before["faults"])


@pytest.mark.parametrize(
    ("frame", "name"),
    [
        ('[{"ticket":"a"},{"type":[],"codes":["KRW-BTC"]}]', "INVALID_PARAM"),
        ('[{"ticket":"a"},{"type":{},"codes":["KRW-BTC"]}]', "INVALID_PARAM"),
        ("[" * 50_000, "WRONG_FORMAT"),
        ('{"a":' * 20_000, "WRONG_FORMAT"),
        ('[{"ticket":NaN}]', "WRONG_FORMAT"),
        (b"\xff\xfe\x00", "WRONG_FORMAT"),
    ],
)
def test_an_odd_subscription_gets_upbits_error(url: str, frame: str | bytes, name: str) -> None:
    with connect(f"ws{url.removeprefix('http')}/websocket/v1") as socket:
        socket.send(frame)
        assert f'"{name}"'.encode() in bytes(socket.recv(timeout=5.0, decode=False))
