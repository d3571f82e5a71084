"""Fetch candles with another client of Upbit's API; run by `backfill.py` in a throw-away environment.

    python backfill_peers.py pyupbit|ccxt|upbit-sdk BASE_URL CANDLES [limited]

Prints candles fetched a second. Each client pages backwards as its own documentation does.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

MARKET = "KRW-BTC"
END_AT = datetime(2026, 1, 5, 12, tzinfo=UTC)


def with_pyupbit(url: str, count: int) -> int:
    """Let `get_ohlcv` page by itself, with its pause at the limit's rate."""
    import pyupbit
    from pyupbit import quotation_api

    original = quotation_api._call_public_api
    quotation_api._call_public_api = lambda path, **given: original(
        path.replace("https://api.upbit.com", url, 1), **given
    )
    to = END_AT.strftime("%Y-%m-%d %H:%M:%S")
    frame = pyupbit.get_ohlcv(MARKET, interval="minute1", count=count, to=to, period=0.1)
    return 0 if frame is None else len(frame)


def with_ccxt(url: str, count: int) -> int:
    """Ask for 200 candles since a time, window after window; ccxt throttles itself."""
    import ccxt

    exchange = ccxt.upbit({"urls": {"api": {"public": url, "private": url}}})
    found = 0
    since = END_AT - timedelta(minutes=count)
    while since < END_AT:
        milliseconds = int(since.timestamp() * 1000)
        found += len(exchange.fetch_ohlcv("BTC/KRW", "1m", since=milliseconds, limit=200))
        since += timedelta(minutes=200)
    return found


def with_upbit_sdk(url: str, count: int) -> int:
    """Ask for page after page at the limit's rate; the client itself does not throttle."""
    from upbit import Upbit

    client: Any = Upbit(base_url=url)
    found, to = 0, END_AT
    next_at = time.monotonic()
    while found < count:
        if IS_LIMITED:
            time.sleep(max(0.0, next_at - time.monotonic()))
            next_at = max(next_at, time.monotonic()) + 0.1
        page = client.candles.list_minutes(
            1, market=MARKET, to=to.strftime("%Y-%m-%dT%H:%M:%SZ"), count=200
        )
        found += len(page)
        to -= timedelta(minutes=200)
    return found


IS_LIMITED = "limited" in sys.argv[4:]
CLIENTS = {"pyupbit": with_pyupbit, "ccxt": with_ccxt, "upbit-sdk": with_upbit_sdk}


if __name__ == "__main__":
    started = time.perf_counter()
    fetched = CLIENTS[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
    print(fetched / (time.perf_counter() - started))
