"""A market under faults: store and ingestor supervised and killed, an exchange that misbehaves."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from appliance import clock
from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.domain.candle import IngestionState
from appliance.domain.event import Event
from appliance.errors import StoreUnavailable
from appliance.supervisor.restart_policy import RestartPolicy
from appliance.supervisor.services import ingestor_spec, store_spec
from appliance.supervisor.spec import ServiceSpec
from appliance.supervisor.supervisor import Supervisor
from store import Session
from store.coverage import summarise
from store.live import read_ingestion
from store.open import open_store
from tests.waiting import wait_until

START = datetime(2026, 1, 5, 12, 0, 30, tzinfo=UTC)
SPEED = 60.0
HISTORY = 1000
MARKETS = ("KRW-BTC", "KRW-ETH", "KRW-DOGE", "KRW-ICX")
"""The last one is quiet: most of its minutes have no trade."""
SETTLE_SECONDS = 180.0
"""Deadline for being up to date after the last fault."""

_EAGER = RestartPolicy(first_delay=0.1, longest_delay=1.0, budget=1000, most=1000)


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, with which seed, and how often each process is killed."""

    simulated_hours: float
    seed: int
    kills: int

    @property
    def faults(self) -> str:
        """The fault file: every kind, the rare ones about once in a simulated hour."""
        few = max(1, round(self.simulated_hours))
        template = (Path(__file__).parent / "soak_faults.toml").read_text(encoding="utf-8")
        head = f"seed = {self.seed}\nrun_seconds = {self.simulated_hours * 3600:.0f}\n"
        return head + template.format(few=few, many=2 * few)

    @property
    def seconds(self) -> float:
        """Real seconds that the faults last."""
        return self.simulated_hours * 3600 / SPEED

    def kill_times(self) -> list[tuple[float, str]]:
        """Return (seconds after the start, service), ascending."""
        chance = random.Random(self.seed)
        times = [
            (chance.uniform(0.05, 0.95) * self.seconds, name)
            for name in ("store", "ingestor")
            for _ in range(self.kills)
        ]
        return sorted(times)


@contextmanager
def exchange(plan: Plan, faults: Path) -> Iterator[str]:
    """Run the simulator as a process; yields its base URL."""
    arguments = {
        "--seed": "7",
        "--markets": ",".join(MARKETS),
        "--speed": f"{SPEED:g}",
        "--start": START.isoformat(),
        "--faults": str(faults),
    }
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "appliance.simulator",
            *(word for pair in arguments.items() for word in pair),
        ],
        cwd=SOURCE_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert urlsplit(url).port, "the simulator did not start"
        yield url
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def specs(paths: Paths) -> tuple[ServiceSpec, ...]:
    """Return store and ingestor as the appliance runs them, but restarted at once however often."""
    chosen = (store_spec(paths), ingestor_spec(paths, has_simulator=False))
    return tuple(replace(spec, restart=_EAGER) for spec in chosen)


async def suffer(paths: Paths, plan: Plan) -> list[Event]:
    """Run both services for the plan's time, killing as planned, and until they have caught up."""
    events: list[Event] = []
    supervisor = Supervisor(paths, specs(paths), on_event=events.append)
    await supervisor.start()
    try:
        started = clock.monotonic()
        for at, name in plan.kill_times():
            await asyncio.sleep(max(0.0, started + at - clock.monotonic()))
            os.kill(await _pid(supervisor, name), signal.SIGKILL)
        await asyncio.sleep(max(0.0, started + plan.seconds - clock.monotonic()))
        await asyncio.to_thread(
            wait_until, lambda: has_caught_up(paths), SETTLE_SECONDS, "the feeds do not catch up"
        )
    finally:
        await supervisor.stop()
    return events


async def _pid(supervisor: Supervisor, name: str) -> int:
    """Return the process id of a service, waiting while it is being restarted."""

    def pid() -> int | None:
        return next(status.pid for status in supervisor.services() if status.name == name)

    async with asyncio.timeout(60):
        await supervisor.wait_for(lambda: pid() is not None)
    return pid() or 0


def has_caught_up(paths: Paths) -> bool:
    """Whether every market has its history, no gap, and follows the exchange."""
    try:
        with open_store(paths, wait_seconds=5) as session:
            return all(_is_current(session, market) for market in MARKETS)
    except StoreUnavailable:
        return False


def _is_current(session: Session, market: str) -> bool:
    found = summarise(session, market, 1)
    status = next((row for row in read_ingestion(session) if row.market == market), None)
    if found is None or status is None or status.expected_until_at is None or found.gaps:
        return False
    is_live = status.state in {IngestionState.STREAMING, IngestionState.POLLING}
    return is_live and found.candles + found.repaired >= HISTORY
