"""What counts as a reply of the exchange, and what is a failure in disguise."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from appliance.domain.candle import impossible
from appliance.errors import ExchangeUnavailable
from appliance.upbit.client import format_to
from appliance.upbit.websocket import StreamRefused, parse_message
from appliance.upbit.wire import parse_candles, parse_error, parse_markets

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "raw_api_json"
ROW = {
    "market": "KRW-BTC",
    "candle_date_time_utc": "2026-03-11T14:40:00",
    "candle_date_time_kst": "2026-03-11T23:40:00",
    "opening_price": 103600000.0,
    "high_price": 103600000.0,
    "low_price": 103425000.0,
    "trade_price": 103460000.0,
    "timestamp": 1773240059132,
    "candle_acc_trade_price": 164899503.14206,
    "candle_acc_trade_volume": 1.5933512,
    "unit": 1,
}
NOW = datetime(2026, 3, 11, 14, 40, 59, tzinfo=UTC)


def test_a_candle_keeps_every_field_and_unknown_ones_are_ignored() -> None:
    (candle,) = parse_candles(json.dumps([ROW | {"new_field": 1}]).encode())
    assert candle.candle_date_time_utc == "2026-03-11T14:40:00"
    assert candle.trade_price == 103460000.0
    assert candle.timestamp == 1773240059132


@pytest.mark.skipif(not SHARED.exists(), reason="no recorded replies beside this checkout")
def test_recorded_replies_are_read_completely() -> None:
    for file in sorted(SHARED.glob("*.json")):
        body = file.read_bytes()
        assert len(parse_candles(body)) == len(json.loads(body))


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE html><html></html>",
        b"",
        b"null",
        b'{"error":{"name":500,"message":"Internal"}}',
        b"[1]",
        b'[{"market":"KRW-BTC"}]',
        json.dumps([ROW])[:-20].encode(),
        json.dumps([ROW | {"trade_price": None}]).encode(),
        json.dumps([ROW | {"trade_price": float("nan")}]).encode(),
        json.dumps([ROW | {"unit": "1"}]).encode(),
    ],
)
def test_anything_but_complete_candles_is_a_failure(body: bytes) -> None:
    with pytest.raises(ExchangeUnavailable):
        parse_candles(body)


def test_an_error_name_may_be_an_integer_or_a_string() -> None:
    assert parse_error(b'{"error":{"name":404,"message":"Code not found"}}').name == "404"
    assert parse_error(b'{"error":{"name":"not_found","message":"x"}}').name == "not_found"
    assert parse_error(b"Too many API requests.").name == ""


def test_markets_are_codes_only() -> None:
    assert parse_markets(b'[{"market":"KRW-BTC","korean_name":"x"}]') == ["KRW-BTC"]


def test_to_is_sent_in_utc_and_aligned_upwards() -> None:
    kst = timezone(timedelta(hours=9))
    assert format_to(datetime(2026, 1, 1, 9, 0, tzinfo=kst), 60) == "2026-01-01T00:00:00Z"
    assert format_to(datetime(2026, 1, 1, 0, 1, tzinfo=UTC), 15) == "2026-01-01T00:15:00Z"


def test_a_stream_frame_may_be_bytes_or_text_and_gives_an_aware_candle() -> None:
    message = {**ROW, "type": "candle.5m", "code": "KRW-BTC", "stream_type": "REALTIME"}
    for frame in (json.dumps(message), json.dumps(message).encode()):
        live = parse_message(frame, NOW)
        assert live is not None
        assert live.candle.unit == 5
        assert live.candle.candle_date_time_utc == datetime(2026, 3, 11, 14, 40, tzinfo=UTC)


def test_a_status_message_and_foreign_types_are_no_candles() -> None:
    for frame in ('{"status":"UP"}', "[]", "not json", '{"type":"ticker","code":"KRW-BTC"}'):
        assert parse_message(frame, NOW) is None


def test_an_error_message_ends_the_connection() -> None:
    with pytest.raises(StreamRefused, match="NO_CODES"):
        parse_message(b'{"error":{"name":"NO_CODES","message":"x"}}', NOW)


IMPOSSIBLE = [
    ({"high_price": 103400000.0}, "high 103400000 is below low"),
    ({"opening_price": 103700000.0}, "open 103700000 is outside"),
    ({"trade_price": 1.0}, "close 1 is outside"),
    ({"low_price": 0.0}, "low is 0, not a price above 0"),
    ({"low_price": -5.0}, "low is -5"),
    ({"candle_acc_trade_volume": -1.0}, "volume is -1"),
    ({"candle_acc_trade_price": -1.0}, "value is -1"),
]


@pytest.mark.parametrize(("change", "words"), IMPOSSIBLE)
def test_a_candle_that_cannot_be_is_refused_by_name(change: dict[str, float], words: str) -> None:
    with pytest.raises(ExchangeUnavailable, match=words) as caught:
        parse_candles(json.dumps([ROW, ROW | change]).encode())
    assert "KRW-BTC at 2026-03-11T14:40:00" in caught.value.message
    frame = json.dumps(ROW | change | {"type": "candle.1m", "code": "KRW-BTC"})
    live = parse_message(frame, NOW)
    assert live is not None and words in live.candle.why_impossible


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_price_that_is_no_number_is_impossible(number: float) -> None:
    assert impossible(number, 1.0, 1.0, 1.0, 0.0, 0.0).startswith("open is")
    assert impossible(1.0, 1.0, 1.0, 1.0, number, 0.0).startswith("volume is")
    assert impossible(1.0, 1.0, 1.0, 1.0, 0.0, 0.0) == ""
