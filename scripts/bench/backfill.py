"""How near a backfill comes to the exchange's limit, and what other clients make of the same work.

    .venv/bin/python scripts/bench/backfill.py [--candles 100000] [--peer-python PATH]

Starts a real simulator and a real store service in a temporary home and backfills one market: with the
limit of 10 requests a second (2,000 candles), without and with 150 ms of latency, then with the limit
off. Prints candles stored a second and how many requests the exchange refused (429, 418), by its own count.
`--peer-python` names an interpreter that has pyupbit, ccxt or upbit-sdk: each that is there fetches as
many candles, without storing them, beside it; the ratio is ours / theirs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from appliance import clock
from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.ingest.backfill import backfill
from appliance.ingest.reconcile import synchronise
from appliance.upbit.client import UpbitClient
from appliance.upbit.rate_limit import HostRateLimit, Slot
from store import Session
from store.candles import count_candles
from store.coverage import gaps
from store.open import open_store

MARKET, PAGE, LIMIT = "KRW-BTC", 200, 2000.0
PEERS = Path(__file__).with_name("backfill_peers.py")


@dataclass(frozen=True)
class Case:
    """One setting of the simulator."""

    name: str
    arguments: tuple[str, ...]
    is_limited: bool


CASES = (
    Case("limit, no latency", (), True),
    Case("limit, 150 ms latency", ("--latency-ms", "150"), True),
    Case("no limit, no latency", ("--no-limits",), False),
)


class NoLimit(HostRateLimit):
    """Lets every request start at once."""

    @contextmanager
    def acquire(self, group: str, *, is_bulk: bool = False) -> Iterator[Slot]:
        """Give a slot."""
        yield Slot(clock.monotonic())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--candles", type=int, default=100_000)
    parser.add_argument("--case", type=int, choices=range(len(CASES)), help="only this one")
    parser.add_argument("--peer-python", type=Path)
    given = parser.parse_args()
    for case in CASES if given.case is None else (CASES[given.case],):
        ours = _ours(case, given.candles)
        if given.peer_python:
            _peers(case, given.candles, given.peer_python, ours)


def _ours(case: Case, count: int) -> float:
    with (
        tempfile.TemporaryDirectory() as folder,
        _simulator(case) as url,
        _store(Path(folder) / "home") as session,
        UpbitClient(url, _limit(case, Path(folder))) as client,
    ):
        synchronise(session, client, MARKET, 1, source_id="bench")
        before = count_candles(session, MARKET, 1)
        taken = _requests(url)["taken"]
        started = time.perf_counter()
        backfill(session, client, MARKET, 1, source_id="bench", until_count=before + count)
        seconds = time.perf_counter() - started
        stored = count_candles(session, MARKET, 1) - before
        requests = _requests(url)
        missing = len(gaps(session, MARKET, 1))
    print(
        f"{case.name:24}{'appliance, stored':22}{_rate(case, stored / seconds)}"
        f"{requests['refused']:4} refused, {requests['taken'] - taken} requests, {missing} gaps"
    )
    return stored / seconds


def _limit(case: Case, directory: Path) -> HostRateLimit:
    return HostRateLimit(directory, 10) if case.is_limited else NoLimit(directory, 10)


def _peers(case: Case, count: int, python: Path, ours: float) -> None:
    for peer in ("pyupbit", "ccxt", "upbit-sdk"):
        with _simulator(case) as url:
            limited = ["limited"] if case.is_limited else []
            done = subprocess.run(
                [python, PEERS, peer, url, str(count), *limited],
                capture_output=True,
                text=True,
                check=False,
            )
            refused = _requests(url)["refused"]
        try:
            rate = float(done.stdout.split()[-1])
        except (ValueError, IndexError):
            reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
            print(f"{case.name:24}{peer:22}failed: {reason}")
            continue
        line = f"{case.name:24}{peer + ', fetched':22}{_rate(case, rate)}{refused:4} refused"
        print(f"{line}, ours / theirs {ours / rate:.2f}")


def _rate(case: Case, rate: float) -> str:
    share = f" ({rate / LIMIT:6.1%} of the limit)" if case.is_limited else ""
    return f"{rate:9,.0f} candles/s{share:24}"


def _requests(url: str) -> dict[str, int]:
    counts: dict[str, int] = httpx.get(f"{url}/sim").json()["requests"]
    return counts


@contextmanager
def _simulator(case: Case) -> Iterator[str]:
    arguments = ["--markets", MARKET, "--start", "2026-01-05T12:00:30Z", *case.arguments]
    process = subprocess.Popen(
        [sys.executable, "-m", "appliance.simulator", *arguments],
        cwd=SOURCE_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def _store(home: Path) -> Iterator[Session]:
    paths = Paths(home)
    paths.create()
    service = subprocess.Popen(
        [sys.executable, "-m", "store.server"],
        cwd=SOURCE_ROOT,
        env={**os.environ, "APPLIANCE_HOME": str(home)},
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(400):
            if paths.store_socket.exists():
                break
            time.sleep(0.05)
        with open_store(paths) as session:
            yield session
    finally:
        service.terminate()
        service.wait(20)


if __name__ == "__main__":
    main()
