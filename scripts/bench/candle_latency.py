"""From the close of a candle to its row being readable in the store, in real time.

    .venv/bin/python scripts/bench/candle_latency.py [--closes 3] [--markets 4]

Starts a real simulator at 1x whose time is this machine's, a real store service and a real ingestor in a
temporary home, lets history load, and then reads the store every 10 ms around every close. Prints median
and 95th percentile over closes x markets; a candle counts only when its minute had a trade. Also prints how
long a price takes from the stream's frame to the store, sampled between the closes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from appliance.config.paths import SOURCE_ROOT, Paths
from store import Session
from store.live import read_ingestion, read_live
from store.open import open_store

MARKETS = ("KRW-BTC", "KRW-ETH", "KRW-XRP", "KRW-DOGE", "KRW-SOL", "KRW-ADA")
PORT = 18_741
_EVERY_SECONDS = 0.01
_LONGEST_WAIT_SECONDS = 30.0


@contextmanager
def running(home: Paths, *command: str) -> Iterator[None]:
    """Run a module of ours; on leaving it is gone."""
    with (home.logs / "bench.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=SOURCE_ROOT,
            env={**os.environ, "APPLIANCE_HOME": str(home.home)},
            stderr=log,
            stdout=log,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)


def configure(home: Paths, markets: tuple[str, ...]) -> None:
    """Point a home at the simulator."""
    (home.compose / "appliance.toml").write_text(
        f'[source]\nkind = "upbit"\nrest_url = "http://127.0.0.1:{PORT}"\n'
        f'websocket_url = "ws://127.0.0.1:{PORT}/websocket/v1"\n'
        f"[ingest]\nmarkets = {list(markets)}\nhistory_candles = 400\n"
        "timeframes = [1]\n"
    )


def wait_for_simulator() -> None:
    """Wait until it answers."""
    for _ in range(300):
        try:
            httpx.get(f"http://127.0.0.1:{PORT}/sim").raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the simulator does not answer")


def wait_for_streams(session: Session, count: int) -> None:
    """Wait until every feed streams and has its history."""
    for _ in range(1200):
        rows = read_ingestion(session)
        if len(rows) == count and all(row.state == "streaming" for row in rows):
            return
        time.sleep(0.1)
    raise SystemExit("the feeds do not stream")


def measure_close(session: Session, close_at: datetime, markets: tuple[str, ...]) -> list[float]:
    """Return the seconds from a close to each market's row."""
    opened_at, waiting, seconds = close_at - timedelta(minutes=1), set(markets), []
    sql = "SELECT market FROM candles WHERE unit = 1 AND candle_date_time_utc = ?"
    while (
        waiting and (late := (datetime.now(UTC) - close_at).total_seconds()) < _LONGEST_WAIT_SECONDS
    ):
        found = set(session.read(sql, [opened_at]).column(0).to_pylist()) & waiting
        seconds += [late] * len(found)
        waiting -= found
        time.sleep(_EVERY_SECONDS)
    return seconds


def price_delays(session: Session, until_at: datetime) -> list[float]:
    """Return the seconds from a stream's frame to its price being readable, until an instant."""
    delays, seen = [], {row.candle.market: row.received_at for row in read_live(session)}
    while datetime.now(UTC) < until_at:
        for row in read_live(session):
            if seen.get(row.candle.market) != row.received_at:
                seen[row.candle.market] = row.received_at
                delays.append((datetime.now(UTC) - row.received_at).total_seconds())
        time.sleep(_EVERY_SECONDS)
    return delays


def report(name: str, values: list[float]) -> None:
    """Print median, 95th percentile and largest."""
    if not values:
        print(f"{name}: nothing measured")
        return
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    print(
        f"{name}: median {statistics.median(ordered):.2f} s, p95 {p95:.2f} s, "
        f"largest {ordered[-1]:.2f} s (n={len(ordered)})"
    )


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--closes", type=int, default=3)
    parser.add_argument("--markets", type=int, default=4)
    options = parser.parse_args()
    markets = MARKETS[: options.markets]
    latencies: list[float] = []
    delays: list[float] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as parts:
        home = Paths(Path(folder) / "home")
        home.create()
        configure(home, markets)
        simulator = ("appliance", "simulator", "--port", str(PORT), "--markets", ",".join(markets))
        parts.enter_context(running(home, *simulator))
        wait_for_simulator()
        parts.enter_context(running(home, "store.server"))
        while not home.store_socket.exists():
            time.sleep(0.05)
        session = parts.enter_context(open_store(home, wait_seconds=20))
        parts.enter_context(running(home, "appliance.ingest"))
        wait_for_streams(session, len(markets))
        close_at = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        for _ in range(options.closes):
            delays += price_delays(session, close_at - timedelta(seconds=1))
            latencies += measure_close(session, close_at, markets)
            close_at += timedelta(minutes=1)
    report("close to readable row", latencies)
    report("stream frame to readable price", delays)


if __name__ == "__main__":
    main()
