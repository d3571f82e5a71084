"""A replayed recording: exactly its missing minutes are proven to have had no trade."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.domain.coverage import IntervalKind
from appliance.ingest.fill_range import fill_range
from appliance.ingest.intake import Intake
from appliance.simulator.options import SimulatorOptions
from store import open_store
from store.coverage import summarise
from store.ledger import classify
from tests.simulator_fixtures import running_simulator, upbit_client

MINUTE = timedelta(minutes=1)
RECORDING = SOURCE_ROOT.parent / "shared" / "data" / "upbit_krw_doge_1m.parquet"


def no_trade_minutes(file: Path, home: Paths, directory: Path) -> set[datetime]:
    """Replay a file, store all of it, and return what the ledger proves empty."""
    opens = pq.read_table(file).column("candle_date_time_utc").to_pylist()
    first_at, last_at = (at.replace(tzinfo=UTC) for at in (opens[0], opens[-1]))
    end_at = last_at + MINUTE
    replay = SimulatorOptions(
        markets=(), replay={"KRW-DOGE": file}, start_at=end_at + 2 * MINUTE, has_limits=False
    )
    with (
        running_simulator(replay) as url,
        upbit_client(url, directory) as client,
        open_store(home) as session,
    ):
        feed = Intake(session, client, "KRW-DOGE", 1, "replay")
        fill_range(feed, first_at, end_at, lambda _progress: None)
        runs = classify(session, "KRW-DOGE", 1, first_at, end_at)
        found = summarise(session, "KRW-DOGE", 1)
    assert found is not None
    assert (found.candles, found.repaired, found.missing) == (len(opens), 0, 0)
    assert {run.kind for run in runs} <= {IntervalKind.CANDLE, IntervalKind.NO_TRADE}
    return {
        run.start_at + i * MINUTE
        for run in runs
        if run.kind is IntervalKind.NO_TRADE
        for i in range((run.end_at - run.start_at) // MINUTE)
    }


def absent(file: Path) -> set[datetime]:
    opens = [
        at.replace(tzinfo=UTC)
        for at in pq.read_table(file).column("candle_date_time_utc").to_pylist()
    ]
    minutes = (opens[0] + i * MINUTE for i in range((opens[-1] - opens[0]) // MINUTE + 1))
    return set(minutes) - set(opens)


def test_the_missing_minutes_of_a_recording_are_proven_no_trade(
    home: Paths, tmp_path: Path
) -> None:
    start_at = datetime(2026, 3, 1, tzinfo=UTC)
    kept = [i for i in range(3000) if i % 97 not in (3, 4) and not 700 <= i < 1000]
    price = [100.0 + i % 13 for i in kept]
    columns = dict.fromkeys(("open", "high", "low", "close", "volume"), price)
    opens = pa.array([start_at + i * MINUTE for i in kept], pa.timestamp("us"))
    file = tmp_path / "candles.parquet"
    pq.write_table(pa.table({"candle_date_time_utc": opens, **columns}), file)
    assert len(absent(file)) == 3000 - len(kept)
    assert no_trade_minutes(file, home, tmp_path) == absent(file)


@pytest.mark.skipif(not RECORDING.exists(), reason=f"{RECORDING} is not here")
def test_the_213_missing_minutes_of_real_doge_candles_are_proven_no_trade(
    home: Paths, tmp_path: Path
) -> None:
    missing = absent(RECORDING)
    assert len(missing) == 213
    assert no_trade_minutes(RECORDING, home, tmp_path) == missing
