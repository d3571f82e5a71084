"""Looks at one process of a service: by its probe, by what `/proc` says, through what it depends on."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Protocol

from appliance import clock
from appliance.supervisor.health import Health
from appliance.supervisor.process import ServiceProcess
from appliance.supervisor.procfs import read_process
from appliance.supervisor.spec import Probe, ProbeTiming, ProcessFacts, ServiceSpec

RECOVERY_SECONDS = 10.0
"""How long the dependents of a service that is back may need to find it again."""
_STOPPED = "T"
_STOPPED_LOOKS = 2


class Surroundings(Protocol):
    """What an observer needs of the supervisor."""

    def slowness(self) -> float:
        """Return how much slower than a quiet machine this one is, at least 1."""
        ...

    def is_ready(self, name: str) -> bool:
        """Whether another service serves."""
        ...

    def steady_seconds(self, name: str) -> float:
        """Return for how long another service has been ready without a failed look; 0 when it is not."""
        ...

    async def look(self, spec: ServiceSpec, facts: ProcessFacts) -> Probe:
        """Probe in a worker thread."""
        ...


class Observer:
    """Judges one process until it ends."""

    def __init__(
        self, spec: ServiceSpec, surroundings: Surroundings, process: ServiceProcess
    ) -> None:
        self._spec = spec
        self._around = surroundings
        self._process = process
        self._stopped_looks = 0
        self._is_held = False
        self._alarm = asyncio.Event()

    @property
    def timing(self) -> ProbeTiming:
        """The service's timing on this machine as it is now; what is stopped is not slow."""
        return self._spec.timing.stretched(1.0 if self._is_held else self._around.slowness())

    def notice_stop(self) -> None:
        """Have a look at once when a signal has stopped the process; cheap, called each second."""
        if not self._is_stopped():
            self._stopped_looks = 0
            return
        self._stopped_looks += 1
        if self._stopped_looks == _STOPPED_LOOKS:
            self._alarm.set()

    async def rest(self, seconds: float) -> None:
        """Wait until the next look is due, the process has ended or a signal has stopped it."""
        waits = [
            asyncio.ensure_future(self._process.exited.wait()),
            asyncio.ensure_future(self._alarm.wait()),
        ]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self._alarm.clear()

    async def look(self, health: Health) -> Health | None:
        """Return the health after one look, None when the process has ended."""
        if self._process.exited.is_set():
            return None
        if stopped := self._stopped():
            return health.observe(stopped, clock.monotonic(), self.timing)
        down = [name for name in self._spec.witnesses if not self._around.is_ready(name)]
        if down:
            reason = f"not observable: {', '.join(down)} is not ready"
            return health.excuse(reason, clock.monotonic())
        probe = await self._probe()
        if probe is None:
            return None if self._process.exited.is_set() else await self.look(health)
        if not probe.is_ready and (reason := self._excuse(probe, health)):
            return health.excuse(reason, clock.monotonic())
        return health.observe(probe, clock.monotonic(), self.timing)

    def _stopped(self) -> Probe | None:
        """Return what there is to say of a process that a signal has stopped, None of any other."""
        self._is_held = self._stopped_looks >= _STOPPED_LOOKS and self._is_stopped()
        if not self._is_held:
            return None
        evidence = f"a signal has stopped pid {self._process.pid}"
        return Probe(is_ready=False, evidence=evidence, is_certain=True)

    def _is_stopped(self) -> bool:
        entry = read_process(self._process.pid)
        return entry is not None and entry.state == _STOPPED

    async def _probe(self) -> Probe | None:
        """Return what the probe sees, None when the process ends or is stopped before it answers."""
        facts = replace(self._process.facts, slowness=self._around.slowness())
        look = asyncio.ensure_future(self._around.look(self._spec, facts))
        exited = asyncio.ensure_future(self._process.exited.wait())
        alarmed = asyncio.ensure_future(self._alarm.wait())
        try:
            await asyncio.wait({look, exited, alarmed}, return_when=asyncio.FIRST_COMPLETED)
            self._alarm.clear()
            return None if self._process.exited.is_set() or not look.done() else look.result()
        finally:
            for task in (look, exited, alarmed):
                task.cancel()

    def _excuse(self, probe: Probe, health: Health) -> str:
        """Return why a failed look says nothing about the service itself, "" when it does."""
        if probe.is_blind:
            return f"not observable: {probe.evidence}"
        patience = RECOVERY_SECONDS * self._around.slowness()
        for name in self._spec.dependencies:
            steady = self._around.steady_seconds(name)
            if not steady:
                return f"{name} is not ready"
            if health.ready_since is not None and steady < patience:
                return f"{name} was not ready {steady:.0f} s ago"
        return ""
