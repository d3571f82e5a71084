"""What the supervisor needs to know about a service."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from appliance.errors import ServiceError, TerminalError
from appliance.supervisor.restart_policy import RestartPolicy


class ServiceImpossible(ServiceError, TerminalError):
    """A service cannot start on this machine or with this configuration; trying again is vain."""

    code_default = "service.impossible"


@dataclass(frozen=True, slots=True)
class Probe:
    """What one look at a service found; `evidence` says it in words, for an operator."""

    is_ready: bool
    evidence: str


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """The process that a probe judges: evidence older than `started_at` belongs to another."""

    pid: int
    started_at: datetime


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

    After `failures` failed looks in a row a ready service counts as unhealthy; unhealthy for
    `unhealthy_limit` seconds, or not ready `start_limit` seconds after its start, it is restarted.
    """

    starting: float = 0.5
    ready: float = 5.0
    failing: float = 2.0
    timeout: float = 6.0
    failures: int = 3
    unhealthy_limit: float = 60.0
    start_limit: float = 150.0


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """One supervised service.

    `dependencies` must be ready before it starts; its probe looks through the `witnesses`, so that
    while one of them is down its own state is unknown and not held against it. Stages stop
    in ascending order of `stop_stage`, services of one stage side by side.
    """

    name: str
    command: tuple[str, ...]
    probe: Prober
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    dependencies: tuple[str, ...] = ()
    witnesses: tuple[str, ...] = ()
    prepare: Preparation | None = None
    endpoint: str = ""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_grace: float = 10.0
    stop_stage: int = 0
    timing: ProbeTiming = field(default_factory=ProbeTiming)
    restart: RestartPolicy = field(default_factory=RestartPolicy)
