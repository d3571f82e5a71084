"""What the store costs beside pandas writing to SQLite, in one run on one machine.

    .venv/bin/python scripts/bench/store_speed.py

Starts a real store service in a temporary home, loads candles, and prints p50 and p99 in milliseconds and
the ratio SQLite / store (above 1: the store is faster). The store writes raw and typed rows with corrections
counted and answers over its socket; SQLite writes one plain table in this process.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from appliance import clock
from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.domain.candle import RawCandle
from store import candles, forecasts
from store.client import FlightSession
from store.open import open_store
from store.session import Session, Statement

START = datetime(2024, 1, 1, tzinfo=UTC)
HISTORY, BULK = 900_000, 300_000
COLUMNS = ["open", "high", "low", "close", "volume", "value"]

_SQLITE_TABLE = (
    "CREATE TABLE candles (market TEXT, unit INTEGER, candle_date_time_utc TEXT, open REAL, high REAL,"
    " low REAL, close REAL, volume REAL, value REAL, PRIMARY KEY (market, unit, candle_date_time_utc))"
)

_FORECASTS = """
INSERT INTO forecasts
SELECT nextval('forecast_ids'), 'bench', 'KRW-0', 1, $1::TIMESTAMPTZ + to_minutes(i::INTEGER), 60,
    $1::TIMESTAMPTZ + to_minutes(i::INTEGER + 60), 1, 100.0,
    -0.1, 0.0, 0.1, -0.1, 0.0, 0.1, -0.1, 0.0, 0.1, now()
FROM range(100000) AS numbers(i)
"""


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(Path(folder) / "home")
        paths.create()
        service = subprocess.Popen(
            [sys.executable, "-m", "store.server"],
            cwd=SOURCE_ROOT,
            env={**os.environ, "APPLIANCE_HOME": str(paths.home)},
            stderr=subprocess.DEVNULL,
        )
        try:
            measure(_connect(paths), sqlite3.connect(Path(folder) / "peer.sqlite"))
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait(30)


def measure(session: Session, peer: sqlite3.Connection) -> None:
    """Run every comparison once."""
    peer.execute(_SQLITE_TABLE)
    print(f"{'':34}{'store p50':>11}{'p99':>9}{'SQLite p50':>12}{'p99':>9}{'ratio':>8}")
    for n in range(HISTORY // BULK):
        raw, frame = _candles(BULK, f"KRW-{n}"), _frame(BULK, f"KRW-{n}")
        label = f"bulk load of {BULK:,} candles"
        _compare(
            label, 1, lambda _, raw=raw: _store(session, raw), lambda _, f=frame: _load(peer, f)
        )
    _compare("trivial query", 300, lambda _: session.read("SELECT 1"), lambda _: _ask(peer))
    for count, times in ((1, 200), (200, 50)):
        _upserts(session, peer, count, times)
    _compare(
        f"read of {HISTORY:,} candles", 5, lambda _: _read(session), lambda _: _read_peer(peer)
    )
    session.write(Statement(_FORECASTS, (START,)))
    joined_by = START + timedelta(days=3650)
    _report(
        "outcomes of 100,000 forecasts",
        [_timed(forecasts.join_outcomes, session, "bench", joined_by)],
    )


def _upserts(session: Session, peer: sqlite3.Connection, count: int, times: int) -> None:
    raws = [_candles(count, "KRW-0", BULK + n * count) for n in range(times)]
    frames = [_frame(count, "KRW-0", BULK + n * count) for n in range(times)]
    label = f"upsert of {count} candle{'s' * (count > 1)}"
    _compare(label, times, lambda n: _store(session, raws[n]), lambda n: _upsert(peer, frames[n]))


def _compare(
    label: str, times: int, ours: Callable[[int], object], theirs: Callable[[int], object]
) -> None:
    _report(
        label,
        [_timed(ours, n) for n in range(times)],
        [_timed(theirs, n) for n in range(times)],
    )


def _report(label: str, ours: list[float], theirs: list[float] | None = None) -> None:
    line = f"{label:34}{statistics.median(ours):11.2f}{_p99(ours):9.2f}"
    if theirs:
        ratio = statistics.median(theirs) / statistics.median(ours)
        line += f"{statistics.median(theirs):12.2f}{_p99(theirs):9.2f}{ratio:8.2f}"
    print(line)


def _timed(call: Callable[..., object], *arguments: object) -> float:
    started = time.perf_counter()
    call(*arguments)
    return (time.perf_counter() - started) * 1000


def _p99(values: list[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))]


def _connect(paths: Paths) -> FlightSession:
    for _ in range(200):
        if paths.store_socket.exists():
            session = open_store(paths)
            assert isinstance(session, FlightSession)
            return session
        time.sleep(0.05)
    raise SystemExit("the store service did not start")


def _prices(count: int) -> Any:
    return 1e8 + np.random.default_rng(7).normal(0, 1e4, count).cumsum()


def _candles(count: int, market: str, offset: int = 0) -> list[RawCandle]:
    times = [(START + timedelta(minutes=offset + n)).isoformat()[:19] for n in range(count)]
    return [
        RawCandle(market, at, at, price, price + 9, price - 9, price, 0, price * 2, 2.0, 1)
        for at, price in zip(times, _prices(count).tolist(), strict=True)
    ]


def _frame(count: int, market: str, offset: int = 0) -> pd.DataFrame:
    times = pd.date_range(START + timedelta(minutes=offset), periods=count, freq="min")
    prices = _prices(count)
    values = dict(
        zip(COLUMNS, (prices, prices + 9, prices - 9, prices, 2.0, prices * 2), strict=True)
    )
    text = times.strftime("%Y-%m-%dT%H:%M:%S")
    return pd.DataFrame({"market": market, "unit": 1, "candle_date_time_utc": text, **values})


def _store(session: Session, raw: list[RawCandle]) -> object:
    return candles.store_candles(session, raw, "bench", clock.now())


def _read(session: Session) -> None:
    for n in range(HISTORY // BULK):
        candles.read_candles(session, f"KRW-{n}", 1)


def _load(peer: sqlite3.Connection, frame: pd.DataFrame) -> None:
    frame.to_sql("candles", peer, if_exists="append", index=False)


def _upsert(peer: sqlite3.Connection, frame: pd.DataFrame) -> None:
    def replace(table: Any, connection: Any, keys: list[str], rows: Any) -> None:
        marks = ", ".join("?" * len(keys))
        connection.executemany(f"INSERT OR REPLACE INTO {table.name} VALUES ({marks})", list(rows))

    frame.to_sql("candles", peer, if_exists="append", index=False, method=replace)


def _read_peer(peer: sqlite3.Connection) -> None:
    for n in range(HISTORY // BULK):
        pd.read_sql(
            "SELECT * FROM candles WHERE market = ? ORDER BY candle_date_time_utc",
            peer,
            params=(f"KRW-{n}",),
            parse_dates=["candle_date_time_utc"],
        )


def _ask(peer: sqlite3.Connection) -> None:
    pd.read_sql("SELECT 1", peer)


if __name__ == "__main__":
    main()
