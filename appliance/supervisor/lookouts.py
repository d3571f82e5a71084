"""Threads that probe: one look at a service at a time, so that a hanging one keeps nobody waiting."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from appliance.supervisor.spec import Probe, ProcessFacts, ServiceSpec


class Lookouts:
    """As many threads as there are services; used in the supervisor's loop."""

    def __init__(self, services: int) -> None:
        self._pool = ThreadPoolExecutor(max(1, services), thread_name_prefix="lookout")
        self._looks: dict[str, tuple[int, asyncio.Future[Probe]]] = {}

    async def look(self, spec: ServiceSpec, facts: ProcessFacts) -> Probe:
        """Probe within the spec's time; a look that still hangs from before is waited for instead."""
        seconds = spec.timing.timeout * facts.slowness
        pid, looking = self._looks.get(spec.name, (0, None))
        if looking is None or looking.done():
            loop = asyncio.get_running_loop()
            pid, looking = facts.pid, loop.run_in_executor(self._pool, spec.probe, facts)
            self._looks[spec.name] = pid, looking
        await asyncio.wait({looking}, timeout=seconds)
        if not looking.done() or pid != facts.pid:
            return Probe(is_ready=False, evidence=f"no answer within {seconds:.3g} s")
        if error := looking.exception():  # a probe's fault is a failed look
            return Probe(is_ready=False, evidence=f"{type(error).__name__}: {error}"[:200])
        return looking.result()

    def dismiss(self) -> None:
        """Look no more; does not wait for a look that hangs."""
        self._pool.shutdown(wait=False, cancel_futures=True)
