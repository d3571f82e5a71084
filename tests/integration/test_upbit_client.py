"""The REST client against a real server that behaves, and one that does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance import clock
from appliance.errors import ExchangeCode, ExchangeRejected, ExchangeUnavailable
from appliance.upbit.client import UpbitClient
from tests.simulator_fixtures import LIMITED, NOON, fault, running_simulator, upbit_client

TEN = datetime(2026, 1, 5, 10, tzinfo=UTC)


@pytest.fixture
def url() -> Iterator[str]:
    with running_simulator() as running:
        yield running


@pytest.fixture
def client(url: str, tmp_path: Path) -> Iterator[UpbitClient]:
    with upbit_client(url, tmp_path) as opened:
        yield opened


def test_a_page_is_newest_first_exclusive_and_never_asks_for_more_than_200(
    client: UpbitClient,
) -> None:
    page = client.minute_candles("KRW-BTC", 1, TEN, 1000)
    assert len(page) == 200
    assert page[0].candle_date_time_utc == "2026-01-05T09:59:00"
    assert page[-1].candle_date_time_utc < page[0].candle_date_time_utc


def test_without_to_the_forming_candle_comes_first(client: UpbitClient) -> None:
    (forming,) = client.minute_candles("KRW-BTC", 240, None, 1)
    assert forming.candle_date_time_utc == "2026-01-05T12:00:00"


def test_an_unknown_market_is_rejected_by_name_with_the_next_step(client: UpbitClient) -> None:
    with pytest.raises(ExchangeRejected, match="KRW-NOPE is not a market") as rejected:
        client.minute_candles("KRW-NOPE", 1)
    assert "ingest.markets" in rejected.value.hint
    assert rejected.value.fields["market"] == "KRW-NOPE"


def test_exchange_time_is_the_server_s_not_ours(client: UpbitClient) -> None:
    assert (
        timedelta(0) <= client.exchange_now() - NOON + timedelta(seconds=1) < timedelta(seconds=9)
    )


def test_exchange_time_follows_a_simulator_that_runs_faster(tmp_path: Path) -> None:
    fast = replace(LIMITED, speed=60.0, has_limits=False)
    with running_simulator(fast) as url, upbit_client(url, tmp_path) as client:
        first = client.exchange_now()
        client.markets()
        deadline = clock.monotonic() + 10
        while client.exchange_now() - first < timedelta(seconds=60):
            client.markets()
            assert clock.monotonic() < deadline


@pytest.mark.parametrize("kind", ["html", "error200", "truncated", "500", "503"])
def test_nonsense_and_server_errors_are_unavailable_and_the_next_call_works(
    client: UpbitClient, url: str, kind: str
) -> None:
    fault(url, kind=kind)
    with pytest.raises(ExchangeUnavailable):
        client.minute_candles("KRW-BTC", 1, TEN)
    assert len(client.minute_candles("KRW-BTC", 1, TEN)) == 200


def test_a_web_page_is_told_as_such_in_its_own_words(client: UpbitClient, url: str) -> None:
    fault(url, kind="html")
    with pytest.raises(
        ExchangeUnavailable, match=r"a web page instead of .*Upbit Under maintenance"
    ):
        client.minute_candles("KRW-BTC", 1, TEN)


def test_a_dead_server_is_unavailable_with_its_address(tmp_path: Path) -> None:
    nobody = pytest.raises(ExchangeUnavailable, match=r"127\.0\.0\.1:9 does not answer")
    with upbit_client("http://127.0.0.1:9", tmp_path) as client, nobody:
        client.minute_candles("KRW-BTC", 1)


def test_429_makes_every_process_wait_a_second_and_then_it_goes_on(
    client: UpbitClient, url: str, tmp_path: Path
) -> None:
    client.markets()
    fault(url, kind="429")
    started = clock.monotonic()
    assert client.minute_candles("KRW-BTC", 1, TEN)
    assert clock.monotonic() - started >= 1.0


def test_418_stops_every_process_at_once_and_says_until_when(
    client: UpbitClient, url: str, tmp_path: Path
) -> None:
    fault(url, kind="418")
    with pytest.raises(
        ExchangeUnavailable, match=r"blocked this host until [\d-]{10} \d\d:\d\d:\d\d UTC"
    ):
        client.minute_candles("KRW-BTC", 1, TEN)
    with upbit_client(url, tmp_path) as other:
        started = clock.monotonic()
        with pytest.raises(ExchangeUnavailable, match="blocked"):
            other.markets()
        assert clock.monotonic() - started < 1.0


def test_a_blocked_client_works_again_after_the_block(
    client: UpbitClient, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault(url, kind="418")
    with pytest.raises(ExchangeUnavailable) as blocked:
        client.markets()
    assert blocked.value.code == ExchangeCode.BLOCKED
    real = clock.monotonic
    monkeypatch.setattr(clock, "monotonic", lambda: real() + 6)
    assert client.markets()
