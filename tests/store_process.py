"""A real store service for tests, and candles to put into it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.domain.candle import RawCandle
from store.client import FlightSession
from store.open import open_store
from tests.waiting import wait_until

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def spawn_service(paths: Paths) -> subprocess.Popen[bytes]:
    """Start the service of a home; the caller stops it."""
    with (paths.logs / "store.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "store.server"],
            cwd=SOURCE_ROOT,
            env={**os.environ, "APPLIANCE_HOME": str(paths.home)},
            stderr=log,
        )


def connect(paths: Paths) -> FlightSession:
    """Return a client of the running service, waiting until it serves."""

    def client() -> FlightSession | None:
        if not paths.store_socket.exists():
            return None
        session = open_store(paths, wait_seconds=10)
        if isinstance(session, FlightSession):
            return session
        session.close()
        return None

    session = wait_until(client, 15, "the store service does not answer")
    assert session is not None
    return session


@contextmanager
def running_service(paths: Paths) -> Iterator[tuple[subprocess.Popen[bytes], FlightSession]]:
    """Run the service; yields its process and a client; on leaving nothing of it is left."""
    process = spawn_service(paths)
    try:
        with connect(paths) as session:
            yield process, session
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def raw_candle(
    minute: int, close: float | None = None, market: str = "KRW-BTC", unit: int = 1
) -> RawCandle:
    """Return the candle that opens `minute` minutes after START; `close` defaults to 100 + minute."""
    opens_at = START + minute * MINUTE
    price = 100.0 + minute if close is None else close
    return RawCandle(
        market=market,
        candle_date_time_utc=opens_at.strftime("%Y-%m-%dT%H:%M:%S"),
        candle_date_time_kst=(opens_at + 540 * MINUTE).strftime("%Y-%m-%dT%H:%M:%S"),
        opening_price=price,
        high_price=price + 1,
        low_price=price - 1,
        trade_price=price,
        timestamp=int(opens_at.timestamp() * 1000) + 59_000,
        candle_acc_trade_price=price * 2,
        candle_acc_trade_volume=2.0,
        unit=unit,
    )
