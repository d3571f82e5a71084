"""A supervisor of small services, and everything it told."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from appliance.config.paths import Paths
from appliance.domain.event import Event
from appliance.domain.service import ServiceState, ServiceStatus
from appliance.supervisor.restart_policy import RestartPolicy
from appliance.supervisor.spec import Probe, ProbeTiming, ProcessFacts, ServiceSpec
from appliance.supervisor.supervisor import Supervisor
from tests.waiting import wait_until

SLEEPER = "import time\nwhile True: time.sleep(60)"
TIMING = ProbeTiming(
    starting=0.05, ready=0.05, failing=0.05, timeout=2, unhealthy_limit=0.3, start_limit=5
)
QUICK = RestartPolicy(first_delay=0.05, longest_delay=0.1, budget=2, stable=60)


class FileProbe:
    """Ready while a file exists."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, process: ProcessFacts) -> Probe:
        exists = self.path.exists()
        return Probe(exists, "the file is there" if exists else "no file")


def always(process: ProcessFacts) -> Probe:
    return Probe(is_ready=True, evidence="runs")


def service(name: str, program: str = SLEEPER, **changes: object) -> ServiceSpec:
    spec = ServiceSpec(
        name=name,
        command=(sys.executable, "-u", "-c", program),
        environment=dict(os.environ),
        probe=always,
        stop_grace=2.0,
        timing=TIMING,
        restart=QUICK,
    )
    return replace(spec, **changes)  # type: ignore[arg-type]


class Watch:
    """A running supervisor and everything it told."""

    def __init__(self, home: Paths, *specs: ServiceSpec) -> None:
        self.events: list[Event] = []
        self.seen: list[tuple[str, ServiceState]] = []
        self.reasons: list[str] = []
        self.supervisor = Supervisor(home, specs, on_event=self.events.append)
        self.supervisor.subscribe(self._note)

    def _note(self, statuses: tuple[ServiceStatus, ...]) -> None:
        for status in statuses:
            self.reasons.append(status.reason)
            entry = (status.name, status.observed)
            if entry not in self.seen:
                self.seen.append(entry)

    def of(self, name: str) -> ServiceStatus:
        return next(status for status in self.supervisor.services() if status.name == name)

    def states(self, name: str) -> list[ServiceState]:
        return [state for service, state in self.seen if service == name]

    async def until(self, condition: Callable[[], object], seconds: float = 10.0) -> None:
        async with asyncio.timeout(seconds):
            await self.supervisor.wait_for(lambda: bool(condition()))

    async def all_ready(self) -> None:
        await self.until(lambda: all(status.is_ready for status in self.supervisor.services()))


async def eventually(condition: Callable[[], object]) -> None:
    """Wait for something that the supervisor does not tell, without blocking its loop."""
    await asyncio.to_thread(wait_until, condition)


@asynccontextmanager
async def running(home: Paths, *specs: ServiceSpec) -> AsyncIterator[Watch]:
    watch = Watch(home, *specs)
    try:
        await watch.supervisor.start()
        yield watch
    finally:
        await watch.supervisor.stop()
