"""The simulator's REST side keeps Upbit's contract as `upbit-api.md` records it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.domain.candle import TIMEFRAMES
from tests.simulator_fixtures import LIMITED, MARKETS, NOON, UNLIMITED, running_simulator

FIELDS = [
    "market",
    "candle_date_time_utc",
    "candle_date_time_kst",
    "opening_price",
    "high_price",
    "low_price",
    "trade_price",
    "timestamp",
    "candle_acc_trade_price",
    "candle_acc_trade_volume",
    "unit",
]
TEN = "2026-01-05T10:00:00Z"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_simulator() as running:
        yield running


def get(url: str, path: str, **parameters: Any) -> httpx.Response:
    return httpx.get(f"{url}/v1/{path}", params=parameters)


def minutes(url: str, unit: int = 1, **parameters: Any) -> list[dict[str, Any]]:
    reply = get(url, f"candles/minutes/{unit}", **{"market": "KRW-BTC"} | parameters)
    assert reply.status_code == 200, reply.text
    rows: list[dict[str, Any]] = reply.json()
    return rows


def error(reply: httpx.Response) -> tuple[int, object, str]:
    body = reply.json()["error"]
    return reply.status_code, body["name"], body["message"]


def test_a_candle_has_upbit_s_fields_in_order_with_eight_decimals(url: str) -> None:
    reply = get(url, "candles/minutes/1", market="KRW-BTC")
    (row,) = reply.json()
    assert list(row) == FIELDS
    assert '"trade_price":' in reply.text
    assert reply.text.split('"opening_price":')[1].split(",")[0].endswith(".00000000")
    assert row["candle_date_time_utc"] == NOON.strftime("%Y-%m-%dT%H:%M:00")
    assert row["candle_date_time_kst"] == (NOON + timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M:00")


def test_every_reply_tells_the_rest_of_the_limit_and_the_simulated_time(url: str) -> None:
    headers = get(url, "candles/minutes/1", market="KRW-BTC").headers
    assert headers["remaining-req"].startswith("group=candles; min=600; sec=")
    assert headers["limit-by-ip"] == "Yes"
    assert headers["content-type"] == "application/json;charset=UTF-8"
    sent_at = parsedate_to_datetime(headers["date"])
    assert NOON.replace(microsecond=0) <= sent_at < NOON + timedelta(minutes=5)
    assert get(url, "market/all").headers["remaining-req"].startswith("group=market;")
    assert (
        get(url, "ticker", markets="KRW-BTC").headers["remaining-req"].startswith("group=ticker;")
    )


def test_pages_are_newest_first_at_most_200_and_to_is_exclusive(url: str) -> None:
    rows = minutes(url, to=TEN, count=201)
    opens = [row["candle_date_time_utc"] for row in rows]
    assert len(rows) == 200
    assert opens == sorted(opens, reverse=True)
    assert opens[0] == "2026-01-05T09:59:00"
    older = minutes(url, to=f"{opens[-1]}Z", count=1)
    assert older[0]["candle_date_time_utc"] < opens[-1]


@pytest.mark.parametrize(
    "to",
    [
        "2026-01-05 10:00:00",
        "2026-01-05T10:00:00",
        "2026-01-05T10:00:00.000Z",
        "2026-01-05T19:00:00+09:00",
    ],
)
def test_to_is_taken_in_every_accepted_form(url: str, to: str) -> None:
    assert minutes(url, to=to, count=3) == minutes(url, to=TEN, count=3)


def test_an_unaligned_to_ends_at_the_candle_that_contains_it(url: str) -> None:
    rows = minutes(url, unit=15, to="2026-01-05T00:21:00Z")
    assert rows[0]["candle_date_time_utc"] == "2026-01-05T00:15:00"


def test_count_defaults_to_one_and_lower_case_markets_are_accepted(url: str) -> None:
    (row,) = minutes(url, market="krw-btc", to=TEN)
    assert row["market"] == "KRW-BTC"


@pytest.mark.parametrize("unit", TIMEFRAMES)
def test_every_unit_is_served_aligned(url: str, unit: int) -> None:
    rows = minutes(url, unit=unit, count=5)
    for row in rows:
        opens_at = datetime.fromisoformat(row["candle_date_time_utc"]).replace(tzinfo=UTC)
        assert opens_at.timestamp() % (unit * 60) == 0
        assert row["unit"] == unit


def test_a_page_before_the_listing_is_empty(url: str) -> None:
    assert minutes(url, to="2017-09-25T03:00:00Z", count=5) == []
    assert minutes(url, to="2017-09-25T03:05:00Z", count=200)[-1]["candle_date_time_utc"] >= (
        "2017-09-25T03:00:00"
    )


def test_minutes_without_a_trade_are_absent_never_zero(url: str) -> None:
    rows = minutes(url, market="KRW-ICX", count=200)
    opens = [datetime.fromisoformat(row["candle_date_time_utc"]) for row in rows]
    assert opens[0] - opens[-1] > timedelta(minutes=300)
    assert all(row["candle_acc_trade_volume"] > 0 for row in rows)


def test_days_follow_each_other_s_closes(url: str) -> None:
    rows = get(url, "candles/days", market="KRW-BTC", count=3).json()
    assert rows[0]["prev_closing_price"] == rows[1]["trade_price"]
    assert rows[0]["change_price"] == rows[0]["trade_price"] - rows[1]["trade_price"]
    assert "unit" not in rows[0]


def test_markets_and_their_details(url: str) -> None:
    rows = get(url, "market/all").json()
    assert [row["market"] for row in rows] == list(MARKETS)
    assert set(rows[0]) == {"market", "korean_name", "english_name"}
    for spelling in ("is_details", "isDetails"):
        assert "market_event" in get(url, "market/all", **{spelling: "true"}).json()[0]


def test_the_ticker_agrees_with_the_candles(url: str) -> None:
    (row,) = get(url, "ticker", markets="KRW-BTC").json()
    (day,) = get(url, "candles/days", market="KRW-BTC").json()
    assert row["opening_price"] == day["opening_price"]
    assert row["low_price"] <= row["trade_price"] <= row["highest_52_week_price"]
    assert [row["market"] for row in get(url, "ticker/all", quote_currencies="KRW").json()] == list(
        MARKETS
    )
    both = httpx.get(f"{url}/v1/ticker?markets=KRW-BTC&markets=KRW-DOGE").json()
    assert len(both) == 2


def test_errors_have_integer_names_equal_to_the_status(url: str) -> None:
    page = "candles/minutes/1"
    missing = "Missing request parameter error. Check the required parameters!"
    assert error(get(url, page)) == (400, 400, missing)
    mismatch = error(get(url, page, market="KRW-BTC", count="abc"))
    assert mismatch == (400, 400, "Type mismatch error. Check the parameters type!")
    unit = error(get(url, "candles/minutes/2", market="KRW-BTC"))
    assert unit == (400, 400, "specified unit is not valid.")
    invalid = error(get(url, page, market="KRW-BTC", to="yesterday"))
    assert invalid == (400, 400, "Invalid parameter. Check the given value!")
    for code in ("KRW-NOPE", "KRW-BTC,KRW-DOGE"):
        assert error(get(url, page, market=code)) == (404, 404, "Code not found")
    assert error(get(url, "ticker", markets="KRW-BTC,KRW-NOPE"))[0] == 404


def test_an_unknown_path_is_the_gateway_s_not_found(url: str) -> None:
    reply = get(url, "nothing/here")
    assert error(reply) == (404, "not_found", "no Route matched with those values")
    assert "remaining-req" not in reply.headers


def test_large_replies_are_compressed_for_clients_that_take_it(url: str) -> None:
    path = f"{url}/v1/candles/minutes/1"
    page = {"market": "KRW-BTC", "count": 200, "to": TEN}
    with httpx.stream("GET", path, params=page, headers={"Accept-Encoding": "gzip"}) as reply:
        packed = b"".join(reply.iter_raw())
    plain = httpx.get(path, params=page, headers={"Accept-Encoding": "identity"})
    assert reply.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed) == plain.content
    assert len(json.loads(plain.content)) == 200


def test_more_than_ten_requests_a_second_get_429_and_insisting_gets_418() -> None:
    with running_simulator(LIMITED) as url, httpx.Client(base_url=url) as client:
        replies = [
            client.get("/v1/candles/minutes/1", params={"market": "KRW-BTC"}) for _ in range(60)
        ]
        codes = [reply.status_code for reply in replies]
        assert codes[:10] == [200] * 10
        assert 429 in codes
        assert codes[-1] == 418
        assert "seconds" in replies[-1].json()["error"]["message"]
        assert client.get("/v1/market/all").status_code == 418


def test_each_group_has_its_own_limit() -> None:
    with running_simulator(LIMITED) as url, httpx.Client(base_url=url) as client:
        for _ in range(10):
            client.get("/v1/candles/minutes/1", params={"market": "KRW-BTC"})
        assert client.get("/v1/market/all").status_code == 200


def test_an_origin_header_leaves_one_request_in_ten_seconds() -> None:
    origin = {"Origin": "https://example.org"}
    with running_simulator(LIMITED) as url, httpx.Client(base_url=url, headers=origin) as client:
        replies = [client.get("/v1/market/all") for _ in range(3)]
    assert "group=origin; min=6; sec=0" in replies[0].headers["remaining-req"]
    assert 429 in [reply.status_code for reply in replies]


def test_a_delisted_market_is_as_unknown_as_at_upbit_and_a_renamed_one_keeps_its_history(
    tmp_path: Path,
) -> None:
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(
        '[[market]]\ncode = "KRW-GONE"\ndelisted_after_seconds = -3600\n'
        '[[market]]\ncode = "KRW-OLD"\nrenamed_to = "KRW-NEW"\ndelisted_after_seconds = -3600\n'
    )
    with running_simulator(replace(UNLIMITED, scenario=scenario)) as url:
        codes = {row["market"] for row in get(url, "market/all").json()}
        assert codes == {*MARKETS, "KRW-NEW"}
        for code in ("KRW-GONE", "KRW-OLD"):
            assert error(get(url, "candles/minutes/1", market=code)) == (404, 404, "Code not found")
        assert minutes(url, market="KRW-NEW", to=TEN, count=3)
