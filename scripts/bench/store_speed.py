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
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from operator import methodcaller
from pathlib import Path

from scripts.bench import store_load
from scripts.bench.store_engines import START, Engine, SqliteEngine, StoreEngine, store_service
from scripts.bench.store_load import p99
from store import forecasts
from store.session import Session, Statement

MARKETS, BULK = [f"KRW-{n}" for n in range(4)], 250_000
Span = tuple[str, int, int]
"""Market, first minute since START, number of candles."""
Call = Callable[[Engine], object]

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
    """Run every comparison, the two engines in turn."""
    print(f"{'':34}{'store p50':>11}{'p99':>9}{'SQLite p50':>12}{'p99':>9}{'ratio':>8}")
    total = f"{BULK * len(MARKETS):,}"
    bulk = [(market, 0, BULK) for market in MARKETS]
    _compare_writes(f"bulk load, {BULK:,} of {total}", store, peer, "load", bulk)
    _compare("trivial query", store, peer, [lambda engine: engine.trivial()] * 300)
    single = [("KRW-0", BULK + n, 1) for n in range(200)]
    _compare_writes("upsert of 1 candle", store, peer, "upsert", single)
    half_new = [("KRW-1", BULK + n * 100, 200) for n in range(50)]
    _compare_writes("upsert of 200 candles", store, peer, "upsert", half_new)
    _compare(
        f"read of {total} candles", store, peer, [lambda engine: engine.everything(MARKETS)] * 3
    )


def _measure_outcomes(session: Session) -> None:
    session.write(Statement(_FORECASTS, (START,)))
    started = time.perf_counter()
    forecasts.join_outcomes(session, "bench", START + timedelta(days=3650))
    print(f"outcomes of 100,000 forecasts     {(time.perf_counter() - started) * 1000:11.2f}")


def _compare_writes(
    label: str, store: Engine, peer: Engine, method: str, spans: Sequence[Span]
) -> None:
    """Compare a method over (market, minute, count); making the candles is not timed."""

    def calls() -> Iterator[Call]:
        for market, at, count in spans:
            for engine in (store, peer):
                engine.make(market, at, count)
            arguments = (market, count) if method == "load" else (market, at, count)
            yield methodcaller(method, *arguments)

    _compare(label, store, peer, calls())


def _compare(label: str, store: Engine, peer: Engine, calls: Iterable[Call]) -> None:
    timed = [(_timed(call, store), _timed(call, peer)) for call in calls]
    ours, theirs = ([pair[n] for pair in timed] for n in (0, 1))
    mid, peer_mid = statistics.median(ours), statistics.median(theirs)
    print(
        f"{label:34}{mid:11.2f}{p99(ours):9.2f}{peer_mid:12.2f}{p99(theirs):9.2f}{peer_mid / mid:8.2f}"
    )


def _timed(call: Call, engine: Engine) -> float:
    started = time.perf_counter()
    call(engine)
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
