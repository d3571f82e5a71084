"""The simulator's WebSocket side keeps Upbit's contract as `upbit-api.md` records it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from appliance.simulator import connections
from appliance.simulator.limits import MessageLimit
from appliance.simulator.subscription import java_double
from tests.simulator_fixtures import LIMITED, UNLIMITED, fault, running_simulator

TICKET: dict[str, Any] = {"ticket": "test"}
BTC: dict[str, Any] = {"type": "candle.1m", "codes": ["KRW-BTC"]}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_simulator(replace(UNLIMITED, speed=20.0)) as running:
        yield running


def stream(url: str) -> connect:
    return connect(f"ws{url.removeprefix('http')}/websocket/v1", proxy=None, ping_interval=None)


async def receive(socket: ClientConnection, seconds: float = 10) -> Any:
    frame = await asyncio.wait_for(socket.recv(), seconds)
    assert isinstance(frame, bytes)
    return json.loads(frame)


async def subscribe(socket: ClientConnection, *parts: dict[str, Any]) -> None:
    await socket.send(json.dumps([TICKET, *parts]))


async def test_frames_are_binary_a_snapshot_comes_first_then_changes(url: str) -> None:
    async with stream(url) as socket:
        await subscribe(socket, BTC)
        first, second = await receive(socket), await receive(socket)
    assert (first["type"], first["code"], first["stream_type"]) == (
        "candle.1m",
        "KRW-BTC",
        "SNAPSHOT",
    )
    assert "unit" not in first
    assert second["stream_type"] == "REALTIME"
    assert second["candle_date_time_utc"] >= first["candle_date_time_utc"]


async def test_the_last_state_of_a_closing_candle_is_sent_before_the_next_one(url: str) -> None:
    last: dict[str, float] = {}
    async with stream(url) as socket:
        await subscribe(socket, BTC)
        while len(last) < 3:
            candle = await receive(socket)
            last[candle["candle_date_time_utc"]] = candle["trade_price"]
    closed = sorted(last)[1]
    row = await asyncio.to_thread(_candle, url, closed)
    assert row["trade_price"] == last[closed]


def _candle(url: str, opens: str) -> dict[str, Any]:
    import httpx

    rows = httpx.get(f"{url}/v1/candles/minutes/1", params={"market": "KRW-BTC", "count": 9}).json()
    return next(row for row in rows if row["candle_date_time_utc"] == opens)


@pytest.mark.parametrize(
    ("style", "key"),
    [
        ("DEFAULT", "trade_price"),
        ("SIMPLE", "tp"),
        ("JSON_LIST", "trade_price"),
        ("SIMPLE_LIST", "tp"),
    ],
)
async def test_every_format(url: str, style: str, key: str) -> None:
    async with stream(url) as socket:
        await subscribe(socket, BTC, {"format": style})
        message = await receive(socket)
    if style.endswith("LIST"):
        (message,) = message
    assert message[key] > 0


async def test_a_second_subscription_replaces_the_first(url: str) -> None:
    async with stream(url) as socket:
        await subscribe(socket, BTC)
        await receive(socket)
        await subscribe(socket, {"type": "ticker", "codes": ["KRW-DOGE"]})
        kinds = [(await receive(socket))["type"] for _ in range(3)]
    assert kinds[-2:] == ["ticker", "ticker"]


async def test_unknown_and_lower_case_codes_give_silence(url: str) -> None:
    async with stream(url) as socket:
        await subscribe(socket, {"type": "candle.1m", "codes": ["KRW-NOPE", "krw-btc"]})
        with pytest.raises(TimeoutError):
            await receive(socket, 1.5)


async def test_only_snapshot_ends_after_the_snapshot(url: str) -> None:
    async with stream(url) as socket:
        await subscribe(socket, BTC | {"is_only_snapshot": True})
        assert (await receive(socket))["stream_type"] == "SNAPSHOT"
        with pytest.raises(TimeoutError):
            await receive(socket, 1.5)


async def test_text_ping_is_answered_with_up(url: str) -> None:
    async with stream(url) as socket:
        await socket.send("PING")
        assert await receive(socket) == {"status": "UP"}


@pytest.mark.parametrize(
    ("frame", "name"),
    [
        ("hello", "WRONG_FORMAT"),
        ([BTC], "NO_TICKET"),
        ([TICKET], "NO_TYPE"),
        ([TICKET, {"type": "candle.1m"}], "NO_CODES"),
        ([TICKET, {"type": "candle.2m", "codes": ["KRW-BTC"]}], "INVALID_PARAM"),
    ],
)
async def test_a_wrong_subscription_gets_an_error_and_a_close(
    url: str, frame: object, name: str
) -> None:
    async with stream(url) as socket:
        await socket.send(frame if isinstance(frame, str) else json.dumps(frame))
        assert (await receive(socket))["error"]["name"] == name
        with pytest.raises(ConnectionClosed) as closed:
            await receive(socket)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1000


async def test_of_six_connections_in_a_second_the_last_is_refused() -> None:
    with running_simulator(LIMITED) as limited:
        statuses, headers = [], []
        for _ in range(12):
            try:
                async with stream(limited) as socket:
                    assert socket.response is not None
                    statuses.append(101)
                    headers.append(socket.response.headers["remaining-req"])
            except InvalidStatus as refused:
                statuses.append(refused.response.status_code)
    assert headers[0] == "group=websocket; min=300; sec=4"
    assert statuses[:5] == [101] * 5
    assert 429 in statuses


async def test_an_origin_header_leaves_one_connection_in_ten_seconds() -> None:
    with running_simulator(LIMITED) as limited:
        url = f"ws{limited.removeprefix('http')}/websocket/v1"
        statuses = []
        for _ in range(3):
            try:
                async with connect(url, proxy=None, origin="https://example.org"):  # type: ignore[arg-type]
                    statuses.append(101)
            except InvalidStatus as refused:
                statuses.append(refused.response.status_code)
    assert 429 in statuses


async def test_too_many_messages_end_the_connection() -> None:
    with running_simulator(LIMITED) as limited:
        async with stream(limited) as socket:
            with pytest.raises(ConnectionClosed):
                for _ in range(50):
                    await subscribe(socket, {"type": "candle.1m", "codes": ["KRW-NOPE"]})
                await receive(socket)
                await receive(socket)


def test_a_connection_may_send_a_hundred_messages_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("appliance.clock.monotonic", lambda: now)
    limit, passed = MessageLimit(), []
    for _ in range(130):
        now += 0.25
        passed.append(limit.take())
    assert passed == [True] * 100 + [False] * 30


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (116539000.0, "1.16539E8"),
        (10000000.0, "1.0E7"),
        (9999999.5, "9999999.5"),
        (0.00012, "1.2E-4"),
        (0.0, "0.0"),
        (-25000000.0, "-2.5E7"),
    ],
)
def test_numbers_of_a_frame_look_as_java_writes_them(number: float, text: str) -> None:
    assert java_double(number) == text
    assert float(text) == number


async def test_who_says_nothing_is_dropped_without_a_close_frame(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.3)
    async with stream(url) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await receive(socket)
    assert closed.value.rcvd is None


async def test_a_drop_breaks_every_socket(url: str) -> None:
    async with stream(url) as socket:
        await subscribe(socket, BTC)
        await receive(socket)
        await asyncio.to_thread(fault, url, kind="drop")
        with pytest.raises(ConnectionClosed):
            while True:
                await receive(socket)
