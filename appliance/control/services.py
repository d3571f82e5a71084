"""What the control API needs of the supervisor, and the way into its event loop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Protocol

from appliance.config.paths import Paths
from appliance.domain.service import ServiceStatus
from appliance.errors import ServiceError
from appliance.supervisor.supervisor import Supervisor

_SECONDS = 10.0


class Services(Protocol):
    """The supervised services; calls may come from any thread but the event loop's."""

    def services(self) -> tuple[ServiceStatus, ...]:
        """Return every service as last observed."""
        ...

    def restart(self, name: str, actor: str) -> None:
        """Stop and start one service; raises `ServiceError` for an unknown name."""
        ...

    def log_path(self, name: str) -> Path:
        """Return a service's log file; raises `ServiceError` for an unknown name."""
        ...

    def shut_down(self, actor: str) -> None:
        """Begin to stop everything."""
        ...


class SupervisedServices:
    """`Services` of a supervisor that lives in `loop`."""

    def __init__(
        self, supervisor: Supervisor, loop: asyncio.AbstractEventLoop, paths: Paths
    ) -> None:
        self._supervisor = supervisor
        self._loop = loop
        self._paths = paths

    def services(self) -> tuple[ServiceStatus, ...]:
        """See `Services.services`."""
        return self._supervisor.services()

    def restart(self, name: str, actor: str) -> None:
        """See `Services.restart`."""
        asked = asyncio.run_coroutine_threadsafe(self._supervisor.restart(name, actor), self._loop)
        asked.result(_SECONDS)

    def log_path(self, name: str) -> Path:
        """See `Services.log_path`."""
        known = [service.name for service in self.services()] + ["supervisor"]
        if name not in known:
            raise ServiceError(
                f"no service is called {name!r}",
                code="service.unknown",
                hint=f"one of: {', '.join(known)}",
            )
        return self._paths.logs / f"{name}.log"

    def shut_down(self, actor: str) -> None:
        """See `Services.shut_down`."""
        self._loop.call_soon_threadsafe(self._supervisor.ask_to_stop, actor)
