"""What the store costs beside pandas writing to SQLite, alone and under load, in one run on one machine.

    .venv/bin/python -m scripts.bench.store_speed [--seconds 60]

Starts a real store service in a temporary home, loads 1,000,000 candles, and prints p50 and p99 in
milliseconds and the ratio SQLite / store (above 1: the store is faster); then what `store_load` prints. The
store writes raw and typed rows, corrections counted, over its socket; SQLite one plain table in process.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from scripts.bench import store_load
from scripts.bench.store_engines import START, Engine, SqliteEngine, StoreEngine, store_service
from scripts.bench.store_load import p99
from store import forecasts
from store.session import Session, Statement

MARKETS, BULK = [f"KRW-{n}" for n in range(4)], 250_000

_FORECASTS = """
INSERT INTO forecasts (id, project, market, unit, candle_date_time_utc, horizon, target_at, model_version,
    base_price, lower, median, upper, static_lower, static_median, static_upper, ewma_lower, ewma_median,
    ewma_upper, made_at, is_live, is_production)
SELECT nextval('forecast_ids'), 'bench', 'KRW-0', 1, $1::TIMESTAMPTZ + to_minutes(i::INTEGER), 60,
    $1::TIMESTAMPTZ + to_minutes(i::INTEGER + 60), 1, 100.0,
    -0.1, 0.0, 0.1, -0.1, 0.0, 0.1, -0.1, 0.0, 0.1, now(), TRUE, TRUE
FROM range(100000) AS numbers(i)
"""


def main() -> None:
    """Measure and print; then the same under load."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        with store_service(home):
            store = StoreEngine(home)
            measure(store, SqliteEngine(Path(folder) / "peer.sqlite"))
            _measure_outcomes(store.session)
    store_load.main()


def measure(store: Engine, peer: Engine) -> None:
    """Run every comparison once, the two engines one after the other."""
    print(f"{'':34}{'store p50':>11}{'p99':>9}{'SQLite p50':>12}{'p99':>9}{'ratio':>8}")
    total = f"{BULK * len(MARKETS):,}"
    _compare(
        f"bulk load, {BULK:,} of {total}", 4, store, peer, lambda e, n: e.load(MARKETS[n], BULK)
    )
    _compare("trivial query", 300, store, peer, lambda e, _: e.trivial())
    _compare("upsert of 1 candle", 200, store, peer, lambda e, n: e.upsert("KRW-0", BULK + n, 1))
    _compare(
        "upsert of 200 candles",
        50,
        store,
        peer,
        lambda e, n: e.upsert("KRW-1", BULK + n * 100, 200),
    )
    _compare(f"read of {total} candles", 3, store, peer, lambda e, _: e.everything(MARKETS))


def _measure_outcomes(session: Session) -> None:
    session.write(Statement(_FORECASTS, (START,)))
    started = time.perf_counter()
    forecasts.join_outcomes(session, "bench", START + timedelta(days=3650))
    print(f"outcomes of 100,000 forecasts     {(time.perf_counter() - started) * 1000:11.2f}")


def _compare(
    label: str, times: int, store: Engine, peer: Engine, call: Callable[[Engine, int], object]
) -> None:
    ours, theirs = ([_timed(call, engine, n) for n in range(times)] for engine in (store, peer))
    mid, peer_mid = statistics.median(ours), statistics.median(theirs)
    print(
        f"{label:34}{mid:11.2f}{p99(ours):9.2f}{peer_mid:12.2f}{p99(theirs):9.2f}{peer_mid / mid:8.2f}"
    )


def _timed(call: Callable[[Engine, int], object], engine: Engine, n: int) -> float:
    started = time.perf_counter()
    call(engine, n)
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
