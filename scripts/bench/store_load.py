"""The store under load beside pandas to SQLite under the same load, in one run on one machine.

    .venv/bin/python -m scripts.bench.store_load [--seconds 60] [--markets 20] [--readers 10]

One writer process replaces the forming candle of every market each second and upserts its closed candle
each minute; ten reader processes each ask four times a second, in turn: status, newest 500 candles, coverage
summary, window of 1,000 feature rows. Prints milliseconds with and without the load, errors, and the ratio
SQLite / store (above 1: the store is faster).
"""

from __future__ import annotations

import argparse
import multiprocessing
import sqlite3
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from appliance.errors import ApplianceError
from scripts.bench.store_engines import Engine, SqliteEngine, StoreEngine, store_service

HISTORY = 20_000
"""Candles per market before the load begins."""
READ_SECONDS = 0.25
READS = ("status", "newest", "summary", "window")
WRITES = ("tick", "upsert")
LABELS = {
    "tick": "write: forming candle",
    "upsert": "write: closed candle",
    "status": "read: forming candles",
    "newest": "read: newest 500 candles",
    "summary": "read: coverage summary",
    "window": "read: 1,000 feature rows",
    "read": "all reads",
}

Timings = dict[str, list[float]]


def main() -> None:
    """Measure and print."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        home, file = Path(folder) / "home", Path(folder) / "peer.sqlite"
        with store_service(home):
            measured = {name: _measure(name, Path(at), options) for name, at in (
                ("store", home), ("SQLite", file),
            )}  # fmt: skip
    for number, title in enumerate(("alone", f"under load, {options.seconds} s")):
        report(title, measured["store"][number], measured["SQLite"][number])


def report(title: str, ours: Timings, theirs: Timings) -> None:
    """Print one table: medians, p99 and their ratio."""
    print(
        f"\n{title:28}{'n':>7}{'store p50':>11}{'p99':>9}{'SQLite p50':>12}{'p99':>10}{'ratio':>8}"
    )
    for kind in ("read", *READS, *WRITES):
        mine, peer = _of(ours, kind), _of(theirs, kind)
        print(
            f"{LABELS[kind]:28}{len(mine):7}{statistics.median(mine):11.2f}{p99(mine):9.2f}"
            f"{statistics.median(peer):12.2f}{p99(peer):10.2f}{p99(peer) / p99(mine):8.2f}"
        )
    print(
        f"{'errors':28}{'':7}{len(ours['error']):11}{'':9}{len(theirs['error']):12}  (ratio: of p99)"
    )


def p99(values: list[float]) -> float:
    """Return the 99th percentile."""
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))]


def _measure(name: str, at: Path, options: argparse.Namespace) -> tuple[Timings, Timings]:
    engine = _engine(name, at)
    for market in _markets(options):
        engine.load(market, HISTORY)
        engine.prepare(market, HISTORY)
        engine.tick(market, HISTORY)
    alone: Timings = defaultdict(list)
    for turn in range(50):
        for kind in (*WRITES, *READS):
            _timed(alone, engine, kind, _markets(options)[turn % options.markets], HISTORY + turn)
    return alone, _load(name, at, options)


def _load(name: str, at: Path, options: argparse.Namespace) -> Timings:
    spawn = multiprocessing.get_context("spawn")
    results, start = spawn.Queue(), spawn.Barrier(options.readers + 1)
    shared = (name, at, options, start, results)
    workers = [spawn.Process(target=_write, args=shared)]
    workers += [spawn.Process(target=_read, args=(*shared, n)) for n in range(options.readers)]
    for worker in workers:
        worker.start()
    total: Timings = defaultdict(list)
    for _ in workers:
        for kind, values in results.get(timeout=options.seconds * 4 + 120).items():
            total[kind] += values
    for worker in workers:
        worker.join()
    return total


def _write(name: str, at: Path, options: argparse.Namespace, start: Any, results: Any) -> None:
    engine, markets = _engine(name, at), _markets(options)
    timings: Timings = defaultdict(list)
    start.wait()
    began = time.monotonic()
    for turn in range(options.seconds * options.markets):
        _wait_until(began + turn / options.markets)
        second, place = divmod(turn, options.markets)
        _timed(timings, engine, "tick", markets[place], HISTORY + 100)
        if second % 60 == place * 60 // options.markets:
            _timed(timings, engine, "upsert", markets[place], HISTORY + 100 + second // 60)
    results.put(dict(timings))


def _read(
    name: str, at: Path, options: argparse.Namespace, start: Any, results: Any, number: int
) -> None:
    engine, markets = _engine(name, at), _markets(options)
    timings: Timings = defaultdict(list)
    start.wait()
    began = time.monotonic() + number * READ_SECONDS / options.readers
    for turn in range(int(options.seconds / READ_SECONDS)):
        _wait_until(began + turn * READ_SECONDS)
        kind, market = READS[(turn + number) % len(READS)], markets[turn % len(markets)]
        _timed(timings, engine, kind, market, 0)
    results.put(dict(timings))


def _timed(timings: Timings, engine: Engine, kind: str, market: str, at: int) -> None:
    arguments = {"status": (), "tick": (market, at), "upsert": (market, at, 1)}
    started = time.perf_counter()
    try:
        getattr(engine, kind)(*arguments.get(kind, (market,)))
    except (ApplianceError, sqlite3.Error) as error:
        timings["error"].append(0.0)
        print(f"{kind} failed: {error}")
    timings[kind].append((time.perf_counter() - started) * 1000)


def _wait_until(at: float) -> None:
    time.sleep(max(0.0, at - time.monotonic()))


def _of(timings: Timings, kind: str) -> list[float]:
    return [each for name in READS for each in timings[name]] if kind == "read" else timings[kind]


def _markets(options: argparse.Namespace) -> list[str]:
    return [f"KRW-M{n}" for n in range(options.markets)]


def _engine(name: str, at: Path) -> Engine:
    return StoreEngine(at) if name == "store" else SqliteEngine(at)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The store under load, beside SQLite.")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--markets", type=int, default=20)
    parser.add_argument("--readers", type=int, default=10)
    return parser.parse_args()


if __name__ == "__main__":
    main()
