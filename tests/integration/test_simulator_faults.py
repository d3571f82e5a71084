"""Every fault over real HTTP and WebSocket, by request and by file; the ground truth stays."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from appliance.simulator.faults import FaultKind
from tests.simulator_fixtures import (
    CONTROL,
    NOON,
    TOKEN,
    UNLIMITED,
    fault,
    faults,
    running_simulator,
    truth,
)
from tests.waiting import wait_until

PAGE = "/v1/candles/minutes/1?market=KRW-BTC&count=200&to=2026-01-05T10:00:00Z"


@pytest.fixture
def url() -> Iterator[str]:
    with running_simulator() as running:
        yield running


def get(url: str, **arguments: float) -> httpx.Response:
    return httpx.get(f"{url}{PAGE}", **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["429", "418", "500", "502", "503"])
def test_a_status_is_sent_as_often_as_asked(url: str, kind: str) -> None:
    fault(url, kind=kind, count=2)
    assert [get(url).status_code for _ in range(3)] == [int(kind), int(kind), 200]
    assert faults(url)["fired"][kind] == 2


def test_a_block_says_how_long_it_lasts(url: str) -> None:
    fault(url, kind="418", block_seconds=40)
    assert "40 seconds" in get(url).text


def test_bodies_that_are_not_candles(url: str) -> None:
    fault(url, kind="html")
    assert get(url).headers["content-type"].startswith("text/html")
    fault(url, kind="error200")
    assert "error" in get(url).json()
    fault(url, kind="truncated")
    with pytest.raises(json.JSONDecodeError):
        get(url).json()
    assert len(get(url).json()) == 200


def test_connections_that_break(url: str) -> None:
    fault(url, kind="reset")
    with pytest.raises(httpx.ReadError):
        get(url)
    fault(url, kind="closed")
    with pytest.raises(httpx.RemoteProtocolError):
        get(url)
    fault(url, kind="timeout", hold_seconds=20)
    with pytest.raises(httpx.ReadTimeout):
        get(url, timeout=0.3)
    assert get(url).status_code == 200


def test_a_client_that_leaves_before_its_reset_disturbs_nothing(
    url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    fault(url, kind="timeout", hold_seconds=0.3)
    with pytest.raises(httpx.ReadTimeout):
        get(url, timeout=0.05)
    fault(url, kind="timeout", hold_seconds=0.5)
    with pytest.raises(httpx.ReadError):  # by then the first one's time is over
        get(url, timeout=10)
    assert get(url).status_code == 200
    assert capfd.readouterr().err == ""


def test_latency_is_real_and_ends(url: str) -> None:
    fault(url, kind="latency", latency_ms=300, count=1)
    slow, quick = get(url), get(url)
    assert slow.elapsed > timedelta(milliseconds=300) > quick.elapsed


def test_a_skewed_clock_moves_the_date_header_only(url: str) -> None:
    newest = httpx.get(f"{url}/v1/candles/minutes/1?market=KRW-BTC").json()
    fault(url, kind="skew", skew_seconds=-90, seconds=600)
    reply = httpx.get(f"{url}/v1/candles/minutes/1?market=KRW-BTC")
    sent_at = parsedate_to_datetime(reply.headers["date"])
    assert NOON - timedelta(seconds=90) <= sent_at < NOON - timedelta(seconds=30)
    assert reply.json()[0]["candle_date_time_utc"] >= newest[0]["candle_date_time_utc"]


async def test_an_outage_drops_rest_and_sockets_and_what_comes_later() -> None:
    with running_simulator(replace(UNLIMITED, speed=20.0)) as url:
        socket_url = f"ws{url.removeprefix('http')}/websocket/v1"
        async with connect(socket_url, proxy=None) as socket, httpx.AsyncClient() as client:
            await client.get(f"{url}{PAGE}")
            await asyncio.to_thread(fault, url, kind="outage", real_seconds=2)
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd is None
            with pytest.raises(httpx.HTTPError):
                await client.get(f"{url}{PAGE}")
            with pytest.raises((InvalidHandshake, OSError, EOFError)):
                await connect(socket_url, proxy=None)
        assert (await asyncio.to_thread(faults, url))["fired"]["outage"] >= 4
        await asyncio.to_thread(
            wait_until, lambda: not faults(url)["active"], message="the outage ends"
        )
        assert (await asyncio.to_thread(get, url)).status_code == 200


def test_one_simulator_s_outage_leaves_another_alone(url: str) -> None:
    with running_simulator() as other, httpx.Client(base_url=other) as client:
        client.get(PAGE)
        fault(url, kind="outage", seconds=60)
        with pytest.raises(httpx.HTTPError):
            get(url)
        assert client.get(PAGE).status_code == 200


def test_a_file_s_faults_happen_at_their_simulated_times(tmp_path: Path) -> None:
    file = tmp_path / "faults.toml"
    file.write_text(
        'seed = 5\n[[fault]]\nkind = "500"\nseconds = 60\n'
        '[[fault]]\nkind = "drop"\nafter_seconds = 90\n'
        '[[fault]]\nkind = "silent"\nafter_seconds = 4000\nseconds = 10\n'
        '[[fault]]\nkind = "html"\nper_hour = 1\n'
    )
    with running_simulator(replace(UNLIMITED, speed=60.0, faults=file)) as url:
        assert get(url).status_code == 500
        coming = faults(url)["coming"]
        assert {one["kind"] for one in coming} == {"drop", "silent", "html"}
        wait_until(lambda: faults(url)["started"]["drop"] == 1, message="the drop")
        state = faults(url)
    assert state["fired"]["500"] >= 1
    assert set(state["fired"]) == {kind.value for kind in FaultKind}


def test_a_wrong_fault_is_refused_with_the_kinds(url: str) -> None:
    reply = httpx.post(f"{url}/sim/fault", json={"kind": "explosion"}, headers=CONTROL)
    assert reply.status_code == 400
    assert "unordered" in reply.json()["error"]["message"]
    web_page = {"Origin": "https://example.org", **CONTROL}
    assert httpx.post(f"{url}/sim/fault", json={"kind": "drop"}, headers=web_page).is_error


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer guess", f"Basic {TOKEN}", TOKEN])
def test_who_does_not_know_the_token_changes_nothing(url: str, given: str) -> None:
    before = httpx.get(f"{url}/sim").json()
    for path, body in (("shift", {"volatility": 9.0}), ("fault", {"kind": "drop"})):
        headers = {"Authorization": given} if given else {}
        reply = httpx.post(f"{url}/sim/{path}", json=body, headers=headers)
        assert (reply.status_code, reply.json()["error"]["name"]) == (401, "token")
    after = httpx.get(f"{url}/sim").json()
    assert (after["shifts"], after["faults"]) == (before["shifts"], before["faults"])


def test_a_simulator_of_its_own_says_its_token_or_takes_the_environments() -> None:
    for token in ("", "from the environment"):
        environment = {**os.environ, "APPLIANCE_SIMULATOR_TOKEN": token}
        with subprocess.Popen(
            [sys.executable, "-m", "appliance.simulator", "--no-limits"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout and process.stderr
            url = process.stdout.readline().strip()
            process.terminate()
            said = process.stderr.read()
        call = re.search(rf"curl -X POST {url}/sim/fault -H 'Authorization: Bearer (\S+)'", said)
        assert (call is None) == bool(token)
        assert "from the environment" not in said


def test_the_truth_is_what_rest_serves_and_is_touched_by_no_fault(url: str) -> None:
    rows = get(url).json()[::-1]
    oldest, newest = rows[0]["candle_date_time_utc"], rows[-1]["candle_date_time_utc"]
    fault(url, kind="outage", seconds=600)
    table = truth(url, from_=oldest, to="2026-01-05T10:00:00Z")
    assert table.num_rows == 200
    opens = [at.strftime("%Y-%m-%dT%H:%M:%S") for at in table["candle_date_time_utc"].to_pylist()]
    assert (opens[0], opens[-1]) == (oldest, newest)
    for column, field in {
        "open": "opening_price",
        "high": "high_price",
        "low": "low_price",
        "close": "trade_price",
        "volume": "candle_acc_trade_volume",
        "value": "candle_acc_trade_price",
    }.items():
        assert table[column].to_pylist() == [row[field] for row in rows]


def test_the_truth_has_no_row_without_a_trade_and_none_that_still_forms(url: str) -> None:
    table = truth(url, "KRW-ICX", from_="2026-01-05T00:00:00Z", to="2026-01-06T00:00:00Z")
    assert 0 < table.num_rows < 360
    assert min(table["volume"].to_pylist()) > 0
    newest = table["candle_date_time_utc"][-1].as_py()
    assert newest < NOON + timedelta(minutes=3)


def test_the_truth_of_months_comes_in_one_reply(url: str) -> None:
    table = truth(url, "KRW-DOGE", from_="2025-12-01T00:00:00Z")
    opens = table["candle_date_time_utc"].to_pylist()
    assert opens == sorted(set(opens))
    assert table.num_rows > 45_000
    assert truth(url, "KRW-DOGE", "1440", from_="2025-12-01T00:00:00Z").num_rows == 35


def test_an_unknown_market_s_truth_is_refused(url: str) -> None:
    reply = httpx.get(f"{url}/sim/truth/candles?market=KRW-NOPE")
    assert reply.status_code == 400
    assert "KRW-NOPE" in reply.json()["error"]["message"]
