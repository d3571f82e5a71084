"""Candles, coverage, live state and the source claim, on the file and through the service."""

from __future__ import annotations

import math
from datetime import datetime

import pyarrow as pa
import pytest

from appliance.domain.candle import Candle, Gap, IngestionStatus, LiveCandle
from appliance.domain.coverage import ProofMethod
from appliance.errors import ConfigError, StoreError
from store import candles, coverage, live, source
from store.candles import StoredCandles
from store.session import Session
from tests.contract.store_fixtures import market, session
from tests.store_process import MINUTE, START, raw_candle

__all__ = ["market", "session"]


def _at(minute: int) -> datetime:
    return START + minute * MINUTE


def _store(session: Session, market: str, *minutes: int) -> StoredCandles:
    return candles.store_candles(
        session, [raw_candle(minute, market=market) for minute in minutes], "rest", START
    )


def _prove(session: Session, market: str, start: int, end: int) -> None:
    coverage.prove_span(session, market, 1, _at(start), _at(end), ProofMethod.LIVE, START)


def _gaps(session: Session, market: str, *bounds: int) -> list[tuple[int, int]]:
    found = coverage.gaps(session, market, 1, *(_at(bound) for bound in bounds))
    assert all((gap.market, gap.unit) == (market, 1) for gap in found)
    return [
        (int((gap.start_at - START) / MINUTE), int((gap.end_at - START) / MINUTE)) for gap in found
    ]


def test_a_candle_comes_back_typed(session: Session, market: str) -> None:
    _store(session, market, 0)
    assert candles.latest_candles(session, market, 1, 5) == [
        Candle(market, 1, START, 100.0, 101.0, 99.0, 100.0, 2.0, 200.0)
    ]


def test_the_raw_table_keeps_every_field_as_sent(session: Session, market: str) -> None:
    sent = raw_candle(3, market=market)
    candles.store_candles(session, [sent], "replay", START)
    (row,) = session.read("SELECT * FROM candles_raw WHERE market = ?", [market]).to_pylist()
    assert row.pop("source") == "replay"
    assert row.pop("received_at") == START
    for name in ("candle_date_time_utc", "candle_date_time_kst"):
        row[name] = row[name].isoformat()
    assert row == {name: getattr(sent, name) for name in sent.__dataclass_fields__}


def test_a_repeat_changes_nothing_and_a_correction_counts_once(
    session: Session, market: str
) -> None:
    assert _store(session, market, 0, 1, 2) == StoredCandles(3, 0)
    assert _store(session, market, 0, 1, 2, 3) == StoredCandles(1, 0)
    corrected = [raw_candle(1, 7.0, market), raw_candle(2, market=market)]
    assert candles.store_candles(session, corrected, "rest", START) == StoredCandles(0, 1)
    closes = [candle.close for candle in candles.latest_candles(session, market, 1, 9)]
    assert closes == [100.0, 7.0, 102.0, 103.0]


def test_an_unchanged_repeat_keeps_when_it_was_first_received(
    session: Session, market: str
) -> None:
    _store(session, market, 0)
    candles.store_candles(session, [raw_candle(0, market=market)], "later", _at(9))
    table = session.read("SELECT source, received_at FROM candles_raw WHERE market = ?", [market])
    assert table.to_pylist() == [{"source": "rest", "received_at": START}]


def test_of_one_candle_sent_twice_the_last_wins(session: Session, market: str) -> None:
    sent = [raw_candle(0, 1.0, market), raw_candle(0, 2.0, market)]
    assert candles.store_candles(session, sent, "rest", START) == StoredCandles(1, 0)
    assert candles.latest_candles(session, market, 1, 1)[0].close == 2.0


def test_a_malformed_time_stores_nothing_of_the_batch(session: Session, market: str) -> None:
    bad = raw_candle(1, market=market)
    bad = type(bad)(**{**{n: getattr(bad, n) for n in bad.__dataclass_fields__},
                       "candle_date_time_utc": "yesterday"})  # fmt: skip
    with pytest.raises(StoreError) as caught:
        candles.store_candles(session, [raw_candle(0, market=market), bad], "rest", START)
    assert caught.value.code == "store.value"
    raw = session.read("SELECT * FROM candles_raw WHERE market = ?", [market])
    assert (raw.num_rows, candles.count_candles(session, market, 1)) == (0, 0)


def test_no_candles_is_no_write(session: Session) -> None:
    assert candles.store_candles(session, [], "rest", START) == StoredCandles(0, 0)


def test_timeframes_are_kept_apart(session: Session, market: str) -> None:
    hourly = raw_candle(0, 5.0, market, unit=60)
    candles.store_candles(session, [raw_candle(0, market=market), hourly], "rest", START)
    assert [candles.count_candles(session, market, unit) for unit in (1, 60, 3)] == [1, 1, 0]


def test_a_range_is_half_open_ascending_and_limited_to_the_newest(
    session: Session, market: str
) -> None:
    _store(session, market, *reversed(range(10)))
    table = candles.read_candles(session, market, 1, _at(2), _at(8), limit=3)
    assert table.column_names == [
        *("market", "unit", "candle_date_time_utc", "open", "high", "low", "close", "volume"),
        "value",
    ]
    assert table.schema.field("candle_date_time_utc").type == pa.timestamp("us", "UTC")
    assert table.column("candle_date_time_utc").to_pylist() == [_at(5), _at(6), _at(7)]


def test_spans_of_other_markets_are_left_alone(session: Session, market: str) -> None:
    _prove(session, market, 0, 10)
    _prove(session, market + "X", 5, 20)
    assert coverage.watermark(session, market, 1) == _at(10)
    assert coverage.watermark(session, market, 60) is None


def test_an_empty_span_is_refused(session: Session, market: str) -> None:
    with pytest.raises(StoreError):
        _prove(session, market, 3, 3)


def test_absence_inside_a_span_is_no_gap_and_outside_is(session: Session, market: str) -> None:
    _store(session, market, 0, 3)
    _prove(session, market, 0, 5)
    _prove(session, market, 8, 10)
    assert _gaps(session, market) == [(5, 8)]


def test_bounds_widen_and_narrow_where_gaps_are_looked_for(session: Session, market: str) -> None:
    _prove(session, market, 2, 4)
    _prove(session, market, 8, 10)
    assert _gaps(session, market, 0, 12) == [(0, 2), (4, 8), (10, 12)]
    assert _gaps(session, market, 5, 7) == [(5, 7)]
    assert _gaps(session, market, 3, 9) == [(4, 8)]
    assert _gaps(session, market, 6) == [(6, 8)]


def test_without_proof_only_bounds_make_a_gap(session: Session, market: str) -> None:
    assert coverage.gaps(session, market, 1) == []
    assert coverage.gaps(session, market, 1, _at(0)) == []
    assert coverage.gaps(session, market, 1, _at(0), _at(2)) == [Gap(market, 1, _at(0), _at(2))]


def test_the_forming_candle_is_replaced(session: Session, market: str) -> None:
    first = Candle(market, 1, _at(0), 1, 2, 0.5, 1.5, 3, 4)
    second = Candle(market, 1, _at(1), 1, 2, 0.5, 1.7, 3, 4)
    for candle in (first, second):
        live.write_live(session, LiveCandle(candle, _at(2)))
    mine = [each for each in live.read_live(session) if each.candle.market == market]
    assert mine == [LiveCandle(second, _at(2))]


def test_the_ingestors_words_are_replaced(session: Session, market: str) -> None:
    old = IngestionStatus(market, 1, "streaming", _at(0), _at(0), _at(0))
    new = IngestionStatus(market, 1, "disconnected", _at(1), None, None, "Upbit does not answer")
    for status in (old, new):
        live.write_ingestion(session, status)
    assert [each for each in live.read_ingestion(session) if each.market == market] == [new]


def test_the_first_source_owns_the_store(session: Session) -> None:
    assert source.source_id(session) is None
    source.claim_source(session, "upbit")
    source.claim_source(session, "upbit")
    with pytest.raises(ConfigError) as caught:
        source.claim_source(session, "simulator:7")
    assert "reset --store" in caught.value.hint
    assert source.source_id(session) == "upbit"


def test_prices_survive_to_the_last_bit(session: Session, market: str) -> None:
    price = math.nextafter(103_460_000.1, math.inf)
    candles.store_candles(session, [raw_candle(0, price, market)], "rest", START)
    assert candles.latest_candles(session, market, 1, 1)[0].close == price
