"""The same work on the store's service and on SQLite by pandas, for the store benches."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa

from appliance import clock
from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.domain.candle import Candle, LiveCandle, RawCandle
from appliance.domain.coverage import ProofMethod
from store import candles, coverage, features, live
from store.client import FlightSession
from store.open import open_store

START = datetime(2024, 1, 1, tzinfo=UTC)
PROJECT, FEATURES = "bench", 12
_KEYS = ["market", "unit", "candle_date_time_utc"]
_VALUES = ["open", "high", "low", "close", "volume", "value"]
_NAMES = [f"f{n}" for n in range(FEATURES)]

_SQLITE = f"""
CREATE TABLE candles (market TEXT, unit INTEGER, candle_date_time_utc TEXT,
    {", ".join(f"{name} REAL" for name in _VALUES)}, PRIMARY KEY (market, unit, candle_date_time_utc));
CREATE TABLE live_candles (market TEXT, unit INTEGER, candle_date_time_utc TEXT,
    {", ".join(f"{name} REAL" for name in _VALUES)}, PRIMARY KEY (market, unit));
CREATE TABLE features (market TEXT, unit INTEGER, candle_date_time_utc TEXT,
    {", ".join(f"{name} REAL" for name in _NAMES)}, PRIMARY KEY (market, unit, candle_date_time_utc));
"""
_SQLITE_GAPS = """
SELECT candle_date_time_utc, before FROM (
    SELECT candle_date_time_utc,
        lag(candle_date_time_utc) OVER (ORDER BY candle_date_time_utc) AS before
    FROM candles WHERE market = ? AND unit = 1)
WHERE strftime('%s', candle_date_time_utc) - strftime('%s', before) > 60
"""


class Engine(Protocol):
    """What is measured, on either engine; `at` counts minutes since START."""

    def make(self, market: str, at: int, count: int) -> object:
        """Make candles as the engine takes them, so that storing the same ones does no more than that."""

    def load(self, market: str, count: int) -> object:
        """Store `count` candles of a market from START on."""

    def upsert(self, market: str, at: int, count: int) -> object:
        """Upsert `count` candles from `at` on."""

    def tick(self, market: str, at: int) -> object:
        """Replace the market's forming candle."""

    def prepare(self, market: str, count: int) -> object:
        """Store `count` feature rows and what else the reads below need."""

    def trivial(self) -> object:
        """Ask for nothing."""

    def status(self) -> object:
        """Read all forming candles."""

    def newest(self, market: str) -> object:
        """Read the newest 500 candles."""

    def summary(self, market: str) -> object:
        """Count candles and find gaps."""

    def window(self, market: str) -> object:
        """Read the newest 1,000 feature rows."""

    def everything(self, markets: Sequence[str]) -> object:
        """Read all candles of these markets."""


class StoreEngine:
    """The store's typed functions over its socket; writes raw and typed rows, corrections counted."""

    def __init__(self, home: Path) -> None:
        session = open_store(Paths(home))
        assert isinstance(session, FlightSession)
        self.session = session

    def make(self, market: str, at: int, count: int) -> object:
        """See `Engine`."""
        return raw_candles(market, at, count)

    def load(self, market: str, count: int) -> object:
        """See `Engine`."""
        return self.upsert(market, 0, count)

    def upsert(self, market: str, at: int, count: int) -> object:
        """See `Engine`."""
        raw = raw_candles(market, at, count)
        return candles.store_candles(self.session, raw, "bench", clock.now())

    def tick(self, market: str, at: int) -> object:
        """See `Engine`."""
        candle = Candle(market, 1, START + timedelta(minutes=at), 1.0, 2.0, 0.5, 1.5, 3.0, 4.0)
        live.write_live(self.session, LiveCandle(candle, clock.now()))
        return None

    def prepare(self, market: str, count: int) -> object:
        """See `Engine`."""
        times = pd.date_range(START, periods=count, freq="min").as_unit("us")
        table = {"candle_date_time_utc": pa.array(times), "close": prices(count)}
        table.update({name: prices(count) for name in _NAMES})
        end_at = START + timedelta(minutes=count)
        coverage.prove_span(
            self.session, market, 1, START, end_at, ProofMethod.BACKFILL, clock.now()
        )
        return features.write_features(self.session, PROJECT, market, 1, "bench", pa.table(table))

    def trivial(self) -> object:
        """See `Engine`."""
        return self.session.read("SELECT 1")

    def status(self) -> object:
        """See `Engine`."""
        return live.read_live(self.session)

    def newest(self, market: str) -> object:
        """See `Engine`."""
        return candles.latest_candles(self.session, market, 1, 500)

    def summary(self, market: str) -> object:
        """See `Engine`."""
        return coverage.summarise(self.session, market, 1)

    def window(self, market: str) -> object:
        """See `Engine`."""
        return features.read_features(self.session, PROJECT, market, 1, "bench", limit=1000)

    def everything(self, markets: Sequence[str]) -> object:
        """See `Engine`."""
        return [candles.read_candles(self.session, market, 1) for market in markets]


class SqliteEngine:
    """pandas to SQLite with its defaults, in this process; one plain table of typed rows."""

    def __init__(self, file: Path) -> None:
        is_new = not file.exists()
        self.connection = sqlite3.connect(file)
        if is_new:
            self.connection.executescript(_SQLITE)

    def make(self, market: str, at: int, count: int) -> object:
        """See `Engine`."""
        return frame(market, at, count)

    def load(self, market: str, count: int) -> object:
        """See `Engine`."""
        return frame(market, 0, count).to_sql(
            "candles", self.connection, if_exists="append", index=False
        )

    def upsert(self, market: str, at: int, count: int) -> object:
        """See `Engine`."""
        return self._replace("candles", frame(market, at, count))

    def tick(self, market: str, at: int) -> object:
        """See `Engine`."""
        return self._replace("live_candles", frame(market, at, 1))

    def prepare(self, market: str, count: int) -> object:
        """See `Engine`."""
        rows = frame(market, 0, count)[_KEYS].assign(**{name: prices(count) for name in _NAMES})
        return rows.to_sql("features", self.connection, if_exists="append", index=False)

    def trivial(self) -> object:
        """See `Engine`."""
        return pd.read_sql("SELECT 1", self.connection)

    def status(self) -> object:
        """See `Engine`."""
        return pd.read_sql("SELECT * FROM live_candles", self.connection)

    def newest(self, market: str) -> object:
        """See `Engine`."""
        return self._newest("candles", market, 500)

    def summary(self, market: str) -> object:
        """See `Engine`."""
        count = "SELECT count(*) FROM candles WHERE market = ? AND unit = 1"
        return [
            pd.read_sql(sql, self.connection, params=(market,)) for sql in (count, _SQLITE_GAPS)
        ]

    def window(self, market: str) -> object:
        """See `Engine`."""
        return self._newest("features", market, 1000)

    def everything(self, markets: Sequence[str]) -> object:
        """See `Engine`."""
        return [self._newest("candles", market, 1 << 40) for market in markets]

    def _newest(self, table: str, market: str, count: int) -> pd.DataFrame:
        sql = (
            f"SELECT * FROM {table} WHERE market = ? AND unit = 1"
            " ORDER BY candle_date_time_utc DESC LIMIT ?"
        )
        times = ["candle_date_time_utc"]
        return pd.read_sql(sql, self.connection, params=(market, count), parse_dates=times)

    def _replace(self, table: str, rows: pd.DataFrame) -> object:
        def replace(target: Any, connection: Any, keys: list[str], values: Any) -> None:
            marks = ", ".join("?" * len(keys))
            connection.executemany(
                f"INSERT OR REPLACE INTO {target.name} VALUES ({marks})", list(values)
            )

        return rows.to_sql(table, self.connection, if_exists="append", index=False, method=replace)


def prices(count: int) -> Any:
    """Return a random walk."""
    return 1e8 + np.random.default_rng(7).normal(0, 1e4, count).cumsum()


@lru_cache(maxsize=2)
def raw_candles(market: str, at: int, count: int) -> list[RawCandle]:
    """Return candles as the exchange sends them."""
    times = [(START + timedelta(minutes=at + n)).isoformat()[:19] for n in range(count)]
    return [
        RawCandle(market, time, time, price, price + 9, price - 9, price, 0, price * 2, 2.0, 1)
        for time, price in zip(times, prices(count).tolist(), strict=True)
    ]


@lru_cache(maxsize=2)
def frame(market: str, at: int, count: int) -> pd.DataFrame:
    """Return candles as a table."""
    times = pd.date_range(START + timedelta(minutes=at), periods=count, freq="min")
    walk = prices(count)
    values = dict(zip(_VALUES, (walk, walk + 9, walk - 9, walk, 2.0, walk * 2), strict=True))
    text = times.strftime("%Y-%m-%dT%H:%M:%S")
    return pd.DataFrame({"market": market, "unit": 1, "candle_date_time_utc": text, **values})


@contextmanager
def store_service(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a real store service of its own home; it is stopped on leaving."""
    paths = Paths(home)
    paths.create()
    service = subprocess.Popen(
        [sys.executable, "-m", "store.server"],
        cwd=SOURCE_ROOT,
        env={**os.environ, "APPLIANCE_HOME": str(home)},
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = clock.monotonic() + 20
        while not paths.store_socket.exists():
            if clock.monotonic() > deadline:
                raise SystemExit("the store service did not start")
            time.sleep(0.05)
        yield service
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait(30)
