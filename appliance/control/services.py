"""What the control API needs of the supervisor, and the way into its event loop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Protocol

from appliance import clock
from appliance.config.paths import Paths
from appliance.domain.origin import Origin
from appliance.domain.service import ServiceState, ServiceStatus
from appliance.errors import ServiceError
from appliance.supervisor.supervisor import Supervisor

_SECONDS = 4.0


class Services(Protocol):
    """The supervised services; calls may come from any thread but the event loop's."""

    def services(self) -> tuple[ServiceStatus, ...]:
        """Return every service as last observed."""
        ...

    def restart(self, name: str, origin: Origin) -> None:
        """Stop and start one service; raises `ServiceError` for an unknown name."""
        ...

    def log_path(self, name: str) -> Path:
        """Return a service's log file; raises `ServiceError` for an unknown name."""
        ...

    def shut_down(self, origin: Origin) -> None:
        """Begin to stop everything."""
        ...


_SERVING = frozenset({ServiceState.READY, ServiceState.UNKNOWN})


def trouble_of(services: Services, name: str, *, with_time: bool = True) -> str:
    """Return why a service cannot be asked now, in words; "" when it can, or is not supervised here.

    Asking a service that hangs or starts would only cost its caller the time limit.
    """
    for service in services.services():
        if service.name == name and service.observed not in _SERVING:
            seconds = (clock.now() - service.since_at).total_seconds()
            since = f" for {seconds:.0f} s" if with_time else ""
            return f"{name} is {service.observed.value}{since}: {service.reason}"
    return ""


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

    def restart(self, name: str, origin: Origin) -> None:
        """See `Services.restart`."""
        asked = asyncio.run_coroutine_threadsafe(self._supervisor.restart(name, origin), self._loop)
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

    def shut_down(self, origin: Origin) -> None:
        """See `Services.shut_down`."""
        self._loop.call_soon_threadsafe(self._supervisor.ask_to_stop, origin.words)
