"""Stored candles against the exchange: complete, closed, proven, and the same after every repeat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from appliance.config.paths import Paths
from appliance.domain.candle import Gap
from appliance.domain.coverage import GapCause, ProofMethod
from appliance.domain.event import EventKind
from appliance.errors import ExchangeRejected, ExchangeUnavailable, StoreError
from appliance.ingest.backfill import BackfillProgress, backfill
from appliance.ingest.intake import Intake
from appliance.ingest.reconcile import SyncResult, bring_up_to_date, confirm, synchronise
from appliance.upbit.client import UpbitClient
from store import Session, Statement, open_store
from store.candles import count_candles, read_candles, store_candles
from store.coverage import gaps, prove_span, watermark
from store.events import read_events
from tests.simulator_fixtures import NOON, UNLIMITED, fault, running_simulator, upbit_client

SOURCE = "simulator:seed=7"
CLOSED_AT = datetime(2026, 1, 5, 12, tzinfo=UTC)
BUSY, QUIET = "KRW-BTC", "KRW-ICX"


@dataclass(frozen=True)
class Bench:
    """An exchange, a client and a store."""

    url: str
    client: UpbitClient
    session: Session

    def synchronise(self, market: str = BUSY, unit: int = 1) -> SyncResult:
        return synchronise(self.session, self.client, market, unit, source_id=SOURCE)

    def backfill(self, count: int, market: str = BUSY, progress: object = None) -> int:
        seen = progress or (lambda _progress: None)
        assert callable(seen)
        result = backfill(
            self.session, self.client, market, 1, source_id=SOURCE, until_count=count, progress=seen
        )
        return result.inserted

    def stored(self, market: str = BUSY, unit: int = 1) -> int:
        return count_candles(self.session, market, unit)

    def summaries(self, kind: EventKind) -> list[str]:
        return [event.summary for event in read_events(self.session, kinds=[kind])]


@pytest.fixture
def bench(home: Paths, tmp_path: Path) -> Iterator[Bench]:
    with (
        running_simulator() as url,
        upbit_client(url, tmp_path) as client,
        open_store(home) as session,
    ):
        yield Bench(url, client, session)


def exchange_rows(bench: Bench, market: str, count: int) -> list[tuple[str, float, float]]:
    parameters: dict[str, str | int] = {
        "market": market,
        "count": count,
        "to": "2026-01-05T12:00:00Z",
    }
    rows = httpx.get(f"{bench.url}/v1/candles/minutes/1", params=parameters).json()
    return [
        (row["candle_date_time_utc"], row["trade_price"], row["candle_acc_trade_volume"])
        for row in reversed(rows)
    ]


def stored_rows(bench: Bench, market: str) -> list[tuple[str, float, float]]:
    return [
        (row["candle_date_time_utc"].strftime("%Y-%m-%dT%H:%M:%S"), row["close"], row["volume"])
        for row in read_candles(bench.session, market, 1, end_at=CLOSED_AT).to_pylist()
    ]


def test_the_first_time_the_newest_page_is_stored_without_the_forming_candle(bench: Bench) -> None:
    result = bench.synchronise()
    assert result.watermark_at == CLOSED_AT
    assert result.inserted == bench.stored() == 199
    assert stored_rows(bench, BUSY) == exchange_rows(bench, BUSY, 199)


def test_a_repeat_changes_nothing(bench: Bench) -> None:
    bench.synchronise()
    again = bench.synchronise()
    assert (again.inserted, again.corrected) == (0, 0)
    assert 0 < again.fetched <= 16


def test_minutes_without_a_trade_are_proven_not_missing(bench: Bench) -> None:
    result = bench.synchronise(QUIET)
    assert result.watermark_at == CLOSED_AT
    assert gaps(bench.session, QUIET, 1) == []
    stored = stored_rows(bench, QUIET)
    span = CLOSED_AT - datetime.fromisoformat(stored[0][0]).replace(tzinfo=UTC)
    assert len(stored) < span / timedelta(minutes=1) / 2


def test_a_corrected_candle_within_the_overlap_wins(bench: Bench) -> None:
    bench.synchronise()
    (newest,) = bench.client.minute_candles(BUSY, 1, CLOSED_AT, 1)
    wrong = replace(newest, trade_price=newest.trade_price + 1)
    store_candles(bench.session, [wrong], SOURCE, CLOSED_AT)
    assert bench.synchronise().corrected == 1
    assert stored_rows(bench, BUSY)[-1][1] == newest.trade_price


def test_a_long_absence_is_filled_newest_page_first(bench: Bench) -> None:
    start_at = CLOSED_AT - timedelta(minutes=1000)
    prove_span(
        bench.session, BUSY, 1, start_at - timedelta(hours=1), start_at, ProofMethod.BACKFILL, NOON
    )
    result = bench.synchronise()
    assert result.watermark_at == CLOSED_AT
    assert gaps(bench.session, BUSY, 1) == []
    assert result.inserted == pytest.approx(1010, abs=12)


@pytest.mark.parametrize("minutes", [1, 190, 194, 195, 196, 197, 198, 201])
def test_whatever_the_absence_the_forming_candle_is_neither_stored_nor_proven(
    bench: Bench, minutes: int
) -> None:
    start_at = CLOSED_AT - timedelta(minutes=minutes)
    prove_span(
        bench.session, BUSY, 1, start_at - timedelta(hours=1), start_at, ProofMethod.BACKFILL, NOON
    )
    assert bench.synchronise().watermark_at == CLOSED_AT
    assert read_candles(bench.session, BUSY, 1, start_at=CLOSED_AT).num_rows == 0
    expected = exchange_rows(bench, BUSY, min(minutes, 200))
    assert stored_rows(bench, BUSY)[-len(expected) :] == expected


def test_nothing_is_proven_unseen_when_this_machine_slept_and_its_clock_stood_still(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_at = CLOSED_AT - timedelta(minutes=700)
    prove_span(
        bench.session, BUSY, 1, start_at - timedelta(hours=1), start_at, ProofMethod.BACKFILL, NOON
    )
    monkeypatch.setattr(bench.client, "exchange_now", lambda: start_at + timedelta(seconds=90))
    result = bench.synchronise()
    assert result.watermark_at == CLOSED_AT
    assert bench.stored() >= 700
    assert stored_rows(bench, BUSY)[-200:] == exchange_rows(bench, BUSY, 200)
    assert stored_rows(bench, BUSY)[0][0] <= start_at.strftime("%Y-%m-%dT%H:%M:%S")


def test_when_the_exchange_fails_half_way_the_watermark_stays_at_what_is_stored(
    bench: Bench,
) -> None:
    start_at = CLOSED_AT - timedelta(minutes=1000)
    prove_span(
        bench.session, BUSY, 1, start_at - timedelta(hours=1), start_at, ProofMethod.BACKFILL, NOON
    )
    fault(bench.url, kind="html", count=1)
    with pytest.raises(ExchangeUnavailable):
        bench.synchronise()
    assert watermark(bench.session, BUSY, 1) == start_at
    bench.synchronise()
    assert gaps(bench.session, BUSY, 1) == []


def test_wider_timeframes_are_synchronised_the_same_way(bench: Bench) -> None:
    assert bench.synchronise(unit=60).watermark_at == CLOSED_AT
    assert bench.stored(unit=60) == 199


def test_an_unknown_market_is_rejected_and_nothing_is_stored(bench: Bench) -> None:
    with pytest.raises(ExchangeRejected, match="KRW-NOPE"):
        bench.synchronise("KRW-NOPE")
    assert watermark(bench.session, "KRW-NOPE", 1) is None


def test_backfill_reaches_the_wanted_count_newest_first_and_says_how_far_it_is(
    bench: Bench,
) -> None:
    bench.synchronise()
    seen: list[BackfillProgress] = []
    bench.backfill(1500, progress=seen.append)
    assert 1500 <= bench.stored() < 1900
    assert [each.stored for each in seen] == sorted(each.stored for each in seen)
    assert "of 1,500 candles" in str(seen[-1])
    assert gaps(bench.session, BUSY, 1) == []
    assert len(bench.summaries(EventKind.BACKFILLED)) == 1
    assert bench.backfill(1500) == 0
    assert len(bench.summaries(EventKind.BACKFILLED)) == 1


def test_an_interrupted_backfill_continues_where_it_was(bench: Bench) -> None:
    class Interrupted(Exception):
        pass

    def interrupt(progress: BackfillProgress) -> None:
        if progress.stored > 500:
            raise Interrupted

    bench.synchronise()
    with pytest.raises(Interrupted):
        bench.backfill(9000, progress=interrupt)
    assert 500 < bench.stored() < 8500
    assert gaps(bench.session, BUSY, 1) == []
    bench.backfill(9000)
    assert bench.stored() >= 9000
    assert gaps(bench.session, BUSY, 1) == []


def test_candles_and_their_proof_are_stored_together_or_not_at_all(bench: Bench) -> None:
    rows = bench.client.minute_candles(BUSY, 1, CLOSED_AT, 5)
    broken = replace(rows[2], opening_price=None)  # type: ignore[arg-type]
    feed = Intake(bench.session, bench.client, BUSY, 1, SOURCE)
    span = (CLOSED_AT - timedelta(minutes=5), CLOSED_AT)
    with pytest.raises(StoreError):
        feed.keep([*rows[:2], broken], [span], ProofMethod.LIVE)
    assert (bench.stored(), watermark(bench.session, BUSY, 1)) == (0, None)
    feed.keep(rows, [span], ProofMethod.LIVE)
    assert (bench.stored(), watermark(bench.session, BUSY, 1)) == (5, CLOSED_AT)


def test_history_ends_where_the_listing_began(home: Paths, tmp_path: Path) -> None:
    listed = replace(UNLIMITED, start_at=datetime(2017, 9, 25, 12, 0, 30, tzinfo=UTC))
    with (
        running_simulator(listed) as url,
        upbit_client(url, tmp_path) as client,
        open_store(home) as session,
    ):
        bench = Bench(url, client, session)
        bench.synchronise()
        bench.backfill(5000)
        assert 500 < bench.stored() <= 540
        assert "none before that" in bench.summaries(EventKind.BACKFILLED)[0]


def test_an_interruption_is_recorded_as_a_gap_found_and_repaired_once(bench: Bench) -> None:
    start_at = CLOSED_AT - timedelta(minutes=90)
    prove_span(
        bench.session, BUSY, 1, start_at - timedelta(hours=1), start_at, ProofMethod.BACKFILL, NOON
    )
    confirm(Intake(bench.session, bench.client, BUSY, 1, SOURCE), GapCause.RESTART)
    (found,) = bench.summaries(EventKind.GAP_FOUND)
    (repaired,) = bench.summaries(EventKind.GAP_REPAIRED)
    assert "KRW-BTC 1m: 90 candles unknown since 2026-01-05 10:30 UTC" in found
    assert "filled" in repaired
    confirm(Intake(bench.session, bench.client, BUSY, 1, SOURCE), GapCause.RESTART)
    assert len(bench.summaries(EventKind.GAP_FOUND)) == 1


def test_a_gap_between_proven_spans_is_found_and_repaired(bench: Bench) -> None:
    bench.synchronise()
    bench.backfill(1000)
    hole = (CLOSED_AT - timedelta(minutes=620), CLOSED_AT - timedelta(minutes=310))
    _forget(bench.session, *hole)
    assert gaps(bench.session, BUSY, 1) == [Gap(BUSY, 1, *hole)]
    bring_up_to_date(bench.session, bench.client, BUSY, 1, source_id=SOURCE, history_candles=200)
    assert gaps(bench.session, BUSY, 1) == []
    assert stored_rows(bench, BUSY)[-200:] == exchange_rows(bench, BUSY, 200)
    assert len(bench.summaries(EventKind.GAP_REPAIRED)) == 1


def _forget(session: Session, start_at: datetime, end_at: datetime) -> None:
    """Take candles and their proof out of the store, as a lost span would leave it."""
    spans = session.read("SELECT min(start_at) AS first, max(end_at) AS last FROM coverage")
    first_at, last_at = spans.to_pylist()[0].values()
    session.write(
        Statement("DELETE FROM coverage"),
        Statement(
            "DELETE FROM candles WHERE candle_date_time_utc >= ? AND candle_date_time_utc < ?",
            (start_at, end_at),
        ),
    )
    prove_span(session, BUSY, 1, first_at, start_at, ProofMethod.BACKFILL, NOON)
    prove_span(session, BUSY, 1, end_at, last_at, ProofMethod.BACKFILL, NOON)
