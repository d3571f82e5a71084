"""What the supervisor needs to know about a service."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from appliance.errors import ServiceError, TerminalError
from appliance.supervisor.door import Door
from appliance.supervisor.restart_policy import RestartPolicy


class ServiceImpossible(ServiceError, TerminalError):
    """A service cannot start on this machine or with this configuration; trying again is vain."""

    code_default = "service.impossible"


@dataclass(frozen=True, slots=True)
class Probe:
    """What one look at a service found; `evidence` says it in words, for an operator.

    `is_certain`: a failed look needs no second one to be believed. `is_blind`: nothing could be
    seen, for a reason that is not the service's own.
    """

    is_ready: bool
    evidence: str
    is_certain: bool = False
    is_blind: bool = False


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """The process that a probe judges: evidence older than `started_at` belongs to another.

    `slowness` is how much slower than a quiet machine this one is, at least 1: what a probe allows
    in seconds it multiplies by that.
    """

    pid: int
    started_at: datetime
    slowness: float = 1.0


Prober = Callable[[ProcessFacts], Probe]
"""Looks once, blocking for a few seconds at most; runs in a worker thread."""


class Workbench(Protocol):
    """What a preparation may do; see `Preparation`."""

    def say(self, reason: str) -> None:
        """Show what is being done as the service's reason."""
        ...

    async def execute(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        text: str = "",
    ) -> int:
        """Run a command in a session of its own, `text` on its stdin, and return its exit code.

        Output goes to the service's log; a death of the supervisor ends it.
        """
        ...


Preparation = Callable[[Workbench], Awaitable[None]]
"""Runs before each start; does nothing when all is in place. Raises `ServiceError`."""


@dataclass(frozen=True, slots=True)
class ProbeTiming:
    """Seconds between looks and what failures mean.

    After `failures` failed looks in a row, or a certain one, a ready service counts as unhealthy;
    `unhealthy_limit` seconds after the first of them, or not ready `start_limit` seconds after its
    start, it is restarted. A hang that nothing but time tells is noticed after
    `ready` + `failing` + 2 x `timeout` seconds at the latest.
    """

    starting: float = 0.5
    ready: float = 4.0
    failing: float = 0.5
    timeout: float = 3.0
    failures: int = 2
    unhealthy_limit: float = 8.0
    start_limit: float = 150.0

    def stretched(self, slowness: float) -> ProbeTiming:
        """Return the same with limits for a machine that is `slowness` times slower."""
        return replace(
            self,
            timeout=self.timeout * slowness,
            unhealthy_limit=self.unhealthy_limit * slowness,
            start_limit=self.start_limit * slowness,
        )


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """One supervised service.

    `dependencies` must be ready before it starts, and while one of them fails a failed look is
    not held against it; its probe looks through the `witnesses`, so that while one of them is down
    its own state is unknown. `files` are what only it may have open: it starts when nobody else
    has. Stages stop in ascending order of `stop_stage`, services of one stage side by side. `door`
    is the TCP socket that its process inherits and serves on.
    """

    name: str
    command: tuple[str, ...]
    probe: Prober
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    dependencies: tuple[str, ...] = ()
    witnesses: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    prepare: Preparation | None = None
    endpoint: str = ""
    door: Door | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_grace: float = 10.0
    stop_stage: int = 0
    timing: ProbeTiming = field(default_factory=ProbeTiming)
    restart: RestartPolicy = field(default_factory=RestartPolicy)
