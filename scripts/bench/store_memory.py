"""What heavy queries take of the store's memory, and what two other readers notice of them.

    .venv/bin/python -m scripts.bench.store_memory [--seconds 8] [--readers 2]

Starts a real store service with the default limits in a temporary home, loads candles, and runs each heavy
query for at most so many seconds while the readers ask ten times a second each. Prints, for each query,
the service's resident memory before, at its peak and a second after, the two readers' p50 and p99 in
milliseconds and errors, and how the query ended. Exits 1 when the peak was above the limit, the service
died, or a reader saw an error.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from appliance.config.paths import Paths
from appliance.errors import ApplianceError, StoreError
from scripts.bench.store_engines import StoreEngine, store_service
from scripts.bench.store_load import p99
from store.client import FlightSession
from store.memory import BESIDE_DUCKDB
from store.session import Statement

LIMIT_MB = (512_000_000 + BESIDE_DUCKDB) / 1e6
CANDLES = 250_000
WIDE = ", ".join(f"close + {n} AS c{n}" for n in range(300))
DEEP = "WITH RECURSIVE r AS (SELECT 1 n {0} SELECT n + 1 FROM r) SELECT * FROM r"
QUERIES = {
    "narrow, 1e9 rows": "SELECT * FROM range(1000000000)",
    "300 columns": f"SELECT *, {WIDE} FROM candles",
    "sort of wide rows": f"SELECT *, {WIDE} FROM candles ORDER BY volume",
    "cross join": "SELECT a.*, b.* FROM candles a, candles b",
    "cross join, sorted": "SELECT a.close c, b.close d FROM candles a, candles b ORDER BY c * d",
    "grouped by a long key": "SELECT repeat(md5(close::VARCHAR), 9) k, count(*) FROM candles"
    " GROUP BY k",
    "one value of 1 GB": "SELECT repeat('x', 1000000000)",
    "values of 1 MB": "SELECT repeat('x', 1000000) FROM range(3000)",
    "values of 100 kB": "SELECT repeat('x', 100000) FROM range(300000)",
    "string_agg": "SELECT string_agg(md5(close::VARCHAR), ',') FROM candles, range(20)",
    "list of all": "SELECT list(md5(close::VARCHAR)) FROM candles, range(20)",
    "list of 1e9": "SELECT range(1000000000)",
    "histogram": "SELECT histogram(md5(close::VARCHAR)) FROM candles",
    "window": "SELECT *, sum(volume) OVER (ORDER BY close) FROM candles, range(8)",
    "recursion, all": DEEP.format("UNION ALL"),
    "recursion, distinct": DEEP.format("UNION"),
    "doubling": "WITH RECURSIVE r AS (SELECT 1 n, 'x' s UNION ALL SELECT n + 1, s || s FROM r"
    " WHERE n < 40) SELECT length(s) FROM r",
    "explain analyze": "EXPLAIN ANALYZE SELECT list(md5(close::VARCHAR)) FROM candles, range(20)",
}
"""Each asked by one caller; `SEVERAL` of them by several at once."""
SEVERAL = ("300 columns", "sort of wide rows", "string_agg", "list of all", "values of 100 kB")


@dataclass
class Readers:
    """What the other readers saw."""

    milliseconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def main() -> None:
    """Measure, print and judge."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        with store_service(home):
            engine = StoreEngine(home)
            engine.load("KRW-0", CANDLES)
            pid = engine.session.health().pid
            print(f"resident memory of the store in MB, limit {LIMIT_MB:,.0f}; readers in ms")
            print(
                f"{'':24}{'base':>6}{'peak':>6}{'after':>7}{'p50':>8}{'p99':>8}{'errors':>7}  end"
            )
            works: dict[str, Callable[[FlightSession], object]] = {
                "nothing": lambda _: time.sleep(options.seconds)
            }
            works |= {name: _taken(sql, options.seconds) for name, sql in QUERIES.items()}
            works["8 at once"] = _at_once(Paths(home), options.seconds)
            works["write of 1,000,000 rows"] = _write
            worst = [_measure(name, work, home, pid, options) for name, work in works.items()]
            is_alive = engine.session.health().pid == pid
    if max(peak for peak, _ in worst) > LIMIT_MB or not is_alive or any(e for _, e in worst):
        sys.exit("the store took too much, died, or failed another reader")


def _taken(sql: str, seconds: float) -> Callable[[FlightSession], object]:
    def work(session: FlightSession) -> str:
        began, rows = time.monotonic(), 0
        with session.stream(sql) as stream:
            for batch in stream:
                rows += batch.num_rows
                if time.monotonic() - began > seconds:
                    return f"{rows:,} rows, then left"
        return f"{rows:,} rows"

    return work


def _at_once(paths: Paths, seconds: float) -> Callable[[FlightSession], object]:
    def one(sql: str, ends: list[str]) -> None:
        with FlightSession(paths.store_socket) as session:
            try:
                ends.append(str(_taken(sql, seconds)(session)))
            except StoreError as error:
                ends.append(error.code)

    def work(_: FlightSession) -> str:
        ends: list[str] = []
        queries = [QUERIES[SEVERAL[n % len(SEVERAL)]] for n in range(8)]
        threads = [threading.Thread(target=one, args=(sql, ends)) for sql in queries]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return ", ".join(f"{ends.count(each)} {each}" for each in sorted(set(ends)))

    return work


def _write(session: FlightSession) -> str:
    batch = pa.table({"n": range(1_000_000), "s": ["x" * 400] * 1_000_000})
    session.write(Statement("SELECT count(*) FROM batch"), batch=batch)
    return "done"


def _measure(
    name: str,
    work: Callable[[FlightSession], object],
    home: Path,
    pid: int,
    options: argparse.Namespace,
) -> tuple[float, int]:
    """Return the peak in MB and the readers' errors."""
    spawn = multiprocessing.get_context("spawn")
    results, stop = spawn.Queue(), spawn.Event()
    started = [spawn.Event() for _ in range(options.readers)]
    readers = [spawn.Process(target=_read, args=(home, event, stop, results)) for event in started]
    for reader in readers:
        reader.start()
    for event in started:
        event.wait(30)
    base, peaks, is_over = _resident(pid), [0.0], threading.Event()
    sampler = threading.Thread(target=_sample, args=(pid, peaks, is_over))
    sampler.start()
    with FlightSession(Paths(home).store_socket, stream_seconds=3 * options.seconds) as session:
        try:
            end = str(work(session))
        except StoreError as error:
            end = f"{error.code}: {error.message[:90]}"
    time.sleep(1)
    stop.set()
    seen = [results.get(timeout=60) for _ in readers]
    time.sleep(1)
    is_over.set()
    sampler.join()
    times = [each for one in seen for each in one.milliseconds]
    errors = [each for one in seen for each in one.errors]
    print(
        f"{name:24}{base:6.0f}{max(peaks):6.0f}{_resident(pid):7.0f}{statistics.median(times):8.1f}"
        f"{p99(times):8.1f}{len(errors):7}  {end}",
        *sorted(set(errors)), sep="\n    ", flush=True,
    )  # fmt: skip
    return max(peaks), len(errors)


def _read(home: Path, started: Any, stop: Any, results: Any) -> None:
    engine, seen = StoreEngine(home), Readers()
    engine.newest("KRW-0")
    started.set()
    while not stop.wait(0.1):
        began = time.perf_counter()
        try:
            engine.newest("KRW-0")
        except ApplianceError as error:
            seen.errors.append(str(error))
        seen.milliseconds.append((time.perf_counter() - began) * 1000)
    results.put(seen)


def _sample(pid: int, peaks: list[float], is_over: threading.Event) -> None:
    while not is_over.wait(0.01):
        peaks.append(_resident(pid))


def _resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) * 1024 / 1e6


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The store's memory under heavy queries.")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--readers", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
