"""The ingestor as a process: beside a real store service and a real exchange."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from appliance import clock
from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.domain.candle import IngestionStatus
from appliance.domain.event import EventKind
from appliance.ingest.live import EXPECTED_AFTER_SECONDS
from appliance.simulator.options import SimulatorOptions
from store import Session
from store.candles import count_candles, read_candles
from store.coverage import summarise
from store.events import read_events
from store.live import read_ingestion, read_live
from store.source import claim_source
from tests.simulator_fixtures import NOON, UNLIMITED, fault, running_simulator
from tests.store_process import running_service
from tests.waiting import wait_until

FAST = replace(UNLIMITED, speed=20.0)


@contextmanager
def ingestor(
    home: Paths, url: str, markets: str = '["KRW-BTC"]', history: int = 400
) -> Iterator[subprocess.Popen[str]]:
    """Run the ingestor against an exchange; on leaving it is gone."""
    settings = {
        "APPLIANCE_HOME": str(home.home),
        "APPLIANCE__SOURCE__KIND": "upbit",
        "APPLIANCE__SOURCE__REST_URL": url,
        "APPLIANCE__SOURCE__WEBSOCKET_URL": f"ws{url.removeprefix('http')}/websocket/v1",
        "APPLIANCE__INGEST__MARKETS": markets,
        "APPLIANCE__INGEST__TIMEFRAMES": "[1]",
        "APPLIANCE__INGEST__HISTORY_CANDLES": str(history),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "appliance.ingest"],
        cwd=SOURCE_ROOT,
        env={**os.environ, **settings},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def status(session: Session, market: str = "KRW-BTC") -> IngestionStatus | None:
    return next((row for row in read_ingestion(session) if row.market == market), None)


def state(session: Session, market: str = "KRW-BTC") -> str:
    row = status(session, market)
    return row.state if row else ""


def _missing(session: Session) -> int:
    summary = summarise(session, "KRW-BTC", 1)
    return summary.missing if summary else 0


def stop(process: subprocess.Popen[str]) -> tuple[int, float, str]:
    """Return exit code, seconds it took, and stderr of a SIGTERM."""
    started = clock.monotonic()
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)
    return process.returncode, clock.monotonic() - started, errors


def test_prices_go_on_by_rest_while_the_stream_is_silent(home: Paths) -> None:
    with (
        running_simulator(FAST) as url,
        running_service(home) as (_, session),
        ingestor(home, url),
    ):
        wait_until(lambda: state(session) == "streaming", 30, "not streaming")
        fault(url, kind="silent", real_seconds=600)
        silent_at = clock.now()

        def shown_since() -> set[datetime]:
            rows = [row for row in read_live(session) if row.received_at > silent_at]
            opened.update(row.candle.candle_date_time_utc for row in rows)
            return opened

        opened: set[datetime] = set()
        wait_until(lambda: len(shown_since()) >= 3, 40, "the price stands still")


@pytest.mark.long
def test_it_fills_history_follows_the_stream_and_confirms_by_rest(home: Paths) -> None:
    with (
        running_simulator(FAST) as url,
        running_service(home) as (_, session),
        ingestor(home, url, '["KRW-BTC", "KRW-NOPE"]') as process,
    ):
        wait_until(lambda: count_candles(session, "KRW-BTC", 1) >= 400, 30, "no history")
        wait_until(lambda: state(session) == "streaming", 20, "not streaming")
        first = status(session)
        assert first is not None

        def has_advanced() -> bool:
            now = status(session)
            assert now is not None
            assert now.watermark_at is not None
            return first.watermark_at is None or now.watermark_at > first.watermark_at

        wait_until(has_advanced, 20, "the watermark stands still")
        assert read_live(session)[0].candle.market == "KRW-BTC"
        unknown = status(session, "KRW-NOPE")
        assert unknown is not None
        assert unknown.state == "rejected"
        assert "KRW-NOPE is not a market" in unknown.message
        assert "ingest.markets" in unknown.next_step
        kinds = [event.kind for event in read_events(session)]
        assert kinds[:2] == [EventKind.SOURCE_CHOSEN, EventKind.BACKFILLED]
        code, seconds, _ = stop(process)
    assert code == 0
    assert seconds < 3


def test_a_store_of_another_source_is_refused_with_exit_code_2(home: Paths) -> None:
    with running_simulator(FAST) as url, running_service(home) as (_, session):
        claim_source(session, "upbit")
        with ingestor(home, url) as process:
            _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "sources are never mixed" in errors
    assert "APPLIANCE_HOME" in errors


@pytest.mark.long
def test_an_exchange_that_goes_away_is_told_and_its_return_is_used(home: Paths) -> None:
    with running_service(home) as (_, session), ExitStack() as exchange:
        url = exchange.enter_context(running_simulator(FAST))
        with ingestor(home, url) as process:
            wait_until(lambda: state(session) == "streaming", 30, "not streaming")
            exchange.close()
            wait_until(lambda: state(session) == "disconnected", 60, "not told")
            told = status(session)
            assert told is not None
            assert "does not answer" in told.message
            assert told.since_at is not None
            assert re.match(r"asked again in \d+ s; what is missing is fetched", told.next_step)
            # What closes meanwhile is a gap. The ingestor takes the time to pass at the pace of the
            # real Upbit: a minute closes within 60 s, and is expected to be proven 15 s later.
            wait_until(lambda: _missing(session) > 0, 60 + EXPECTED_AFTER_SECONDS + 30, "no gap")
            port = urlsplit(url).port or 0
            back = replace(FAST, port=port, start_at=NOON + timedelta(hours=3))
            exchange.enter_context(running_simulator(back))
            wait_until(lambda: state(session) == "streaming", 60, "not recovered")
            assert read_events(session, kinds=[EventKind.GAP_REPAIRED])
            _, _, errors = stop(process)
    assert errors.count("feed broke") == errors.count("feed recovered") == 1


def test_a_restarted_store_is_found_again_and_said_at_most_once(home: Paths) -> None:
    with running_simulator(FAST) as url, ExitStack() as store:
        _, session = store.enter_context(running_service(home))
        with ingestor(home, url) as process:
            wait_until(lambda: state(session) == "streaming", 30, "not streaming")
            before = status(session)
            assert before is not None
            store.close()
            _, again = store.enter_context(running_service(home))

            def has_written() -> bool:
                now = status(again)
                return now is not None and now.heartbeat_at > before.heartbeat_at

            wait_until(has_written, 30, "no status after the restart")
            wait_until(lambda: state(again) == "streaming", 30, "not streaming again")
            _, _, errors = stop(process)
    assert errors.count("store lost") == errors.count("store is back") <= 1


def recording(rows: int) -> pa.Table:
    start_at = datetime(2026, 3, 1, tzinfo=UTC)
    minutes = [i for i in range(rows) if i % 97 not in (3, 4)]
    price = [100_000_000.0 + (i * 7919 % 977) * 1000 for i in minutes]
    opens = [start_at + timedelta(minutes=i) for i in minutes]
    return pa.table(
        {
            "candle_date_time_utc": pa.array(opens, pa.timestamp("us", "UTC")),
            "open": price,
            "high": [p + 3000 for p in price],
            "low": [p - 5000 for p in price],
            "close": [p + 1000 for p in price],
            "volume": [round(0.12345678 + i * 0.00000013, 8) for i in minutes],
        }
    )


def test_the_candle_table_equals_a_replayed_file_row_for_row(home: Paths, tmp_path: Path) -> None:
    table = recording(1000)
    file = tmp_path / "candles.parquet"
    pq.write_table(table, file)
    end_at = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=1001)
    replay = SimulatorOptions(markets=(), replay={"KRW-BTC": file}, start_at=end_at)
    with (
        running_simulator(replay) as url,
        running_service(home) as (_, session),
        ingestor(home, url, history=100_000),
    ):
        wait_until(
            lambda: count_candles(session, "KRW-BTC", 1) >= table.num_rows, 60, "not everything"
        )
        stored = read_candles(session, "KRW-BTC", 1).select(table.column_names)
    assert stored.to_pylist() == table.to_pylist()


@pytest.mark.long
def test_history_comes_at_nearly_the_limit_without_a_429(home: Paths) -> None:
    limited = replace(UNLIMITED, has_limits=True)
    with (
        running_simulator(limited) as url,
        running_service(home) as (_, session),
        ingestor(home, url, history=20_000) as process,
    ):
        started = clock.monotonic()
        wait_until(lambda: count_candles(session, "KRW-BTC", 1) >= 20_000, 40, "too slow")
        seconds = clock.monotonic() - started
        _, _, errors = stop(process)
    assert seconds < 14
    assert "429" not in errors
