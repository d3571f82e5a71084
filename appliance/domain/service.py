"""Supervised services: desired against observed state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ServiceState(StrEnum):
    """Observed state of one service."""

    STOPPED = "stopped"
    WAITING = "waiting"  # desired up, a dependency is not ready
    STARTING = "starting"
    READY = "ready"
    UNHEALTHY = "unhealthy"  # process lives, probe fails
    BACKING_OFF = "backing-off"  # died, restart is scheduled
    GIVEN_UP = "given-up"  # restart budget used up
    STOPPING = "stopping"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service as the supervisor sees it.

    `reason` is the probe's evidence or what went wrong, in words; `restarts` counts restarts since
    the supervisor started; `endpoint` is where it listens (`127.0.0.1:5000`, a socket's name or "").
    """

    name: str
    desired: ServiceState
    observed: ServiceState
    reason: str
    since_at: datetime
    pid: int | None = None
    restarts: int = 0
    endpoint: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether the service serves."""
        return self.observed is ServiceState.READY
