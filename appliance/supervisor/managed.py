"""The life of one service: prepared, started, watched, restarted, stopped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from appliance import clock
from appliance.domain.event import EventKind, Severity
from appliance.domain.service import ServiceState, ServiceStatus
from appliance.errors import ApplianceError, ServiceError, TerminalError
from appliance.supervisor.health import Health
from appliance.supervisor.log_file import LogFile
from appliance.supervisor.observer import Observer, Surroundings
from appliance.supervisor.process import ServiceProcess
from appliance.supervisor.restart_policy import RestartHistory, decide
from appliance.supervisor.spec import ServiceSpec

_log = logging.getLogger(__name__)

ROOM_BYTES = 50_000_000
ROOM_SECONDS = 2.0
FILE_SECONDS = 0.5
HUNG_GRACE = 2.0
"""Seconds that a process which does not serve gets to end by itself."""


class Host(Surroundings, Protocol):
    """What a service needs from its supervisor."""

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return as soon as `condition` holds; it is asked at each change of any service."""
        ...

    def changed(self) -> None:
        """Tell that a status changed."""
        ...

    def free_bytes(self) -> int:
        """Return the room left on the home's disk."""
        ...

    def report(
        self, kind: EventKind, summary: str, severity: Severity, details: dict[str, object]
    ) -> None:
        """Record an event."""
        ...

    def spawn(
        self,
        spec: ServiceSpec,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: LogFile,
        text: str = "",
        *,
        serves: bool = False,
    ) -> ServiceProcess:
        """Start a process, recorded for recovery; one that serves inherits the spec's door."""
        ...

    async def end(self, process: ServiceProcess, grace: float) -> None:
        """Stop a process' whole session and take it off the record."""
        ...

    async def free_file(self, spec: ServiceSpec) -> str:
        """End a process of this home that has one of the service's files; "" when all are free.

        Otherwise return who has one and will not be ended, in words.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Death:
    """Why a process is no more, or must not be.

    `is_final` when trying again is vain; `is_hung` when the process lives and does not serve: it will
    hardly act on a signal either. `by_itself`: no signal ended it.
    """

    cause: str
    ready_for: float = 0.0
    is_final: bool = False
    is_hung: bool = False
    by_itself: bool = True


class ManagedService:
    """Drives one service towards its desired state and says what it observes."""

    def __init__(self, spec: ServiceSpec, host: Host, log: LogFile) -> None:
        self.spec = spec
        self.log = log
        self._host = host
        self._history = RestartHistory()
        self._process: ServiceProcess | None = None
        self._observer: Observer | None = None
        self._steady_since: float | None = None
        self._task: asyncio.Task[None] | None = None
        self._ending: asyncio.Future[None] | None = None
        self.status = ServiceStatus(
            name=spec.name,
            desired=ServiceState.STOPPED,
            observed=ServiceState.STOPPED,
            reason="not started",
            since_at=clock.now(),
            endpoint=spec.endpoint,
        )

    def start(self) -> None:
        """Want it up, with a fresh restart budget."""
        self._history = RestartHistory()
        self._show(desired=ServiceState.READY)
        self._task = asyncio.get_running_loop().create_task(self._drive(), name=self.spec.name)

    async def stop(self, reason: str) -> None:
        """Want it stopped; return when nothing of its session is left."""
        self._show(ServiceState.STOPPING, reason, desired=ServiceState.STOPPED)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self._end_process(self.spec.stop_grace)
        self._show(ServiceState.STOPPED, reason)

    def notice_stop(self) -> None:
        """Look at once when a signal has stopped the process; cheap, called each second."""
        if self._observer is not None:
            self._observer.notice_stop()

    @property
    def steady_seconds(self) -> float:
        """For how long it has been ready without a failed look; 0 when it is not."""
        return 0.0 if self._steady_since is None else clock.monotonic() - self._steady_since

    def say(self, reason: str) -> None:
        """Show what is being done before the start (`Workbench`)."""
        self._show(reason=reason)

    async def execute(
        self, command: Sequence[str], environment: Mapping[str, str] | None = None, text: str = ""
    ) -> int:
        """Run a command of the preparation (`Workbench`)."""
        chosen = self.spec.environment if environment is None else environment
        process = self._host.spawn(self.spec, command, chosen, self.log, text)
        try:
            await process.exited.wait()
        finally:
            await asyncio.shield(self._host.end(process, 0.0))
        return process.exit_code or 0

    async def _drive(self) -> None:
        while True:
            try:
                death = await self._live_once()
            except (
                Exception
            ) as error:  # supervisor loop: one service's fault must not end the others
                _log.exception("service=%s failed unexpectedly", self.spec.name)
                death = _Death(f"internal error: {error!r}")
            if death.is_final:
                self._give_up(death.cause)
                return
            decision = decide(
                self.spec.restart,
                self._history,
                name=self.spec.name,
                cause=death.cause,
                now=clock.monotonic(),
                ready_for=death.ready_for,
                by_itself=death.by_itself,
            )
            self._history = decision.history
            if decision.delay is None:
                self._give_up(decision.reason)
                return
            self._show(ServiceState.BACKING_OFF, decision.reason, restarts=self.status.restarts + 1)
            self._report(Severity.WARNING, f"{self.spec.name} {decision.reason}")
            await asyncio.sleep(decision.delay)

    async def _live_once(self) -> _Death:
        await self._await_dependencies()
        await self._await_room()
        await self._await_files()
        self._show(ServiceState.STARTING, "starting")
        try:
            if self.spec.prepare is not None:
                await self.spec.prepare(self)
                self._show(reason="starting")
            self._process = self._host.spawn(
                self.spec, self.spec.command, self.spec.environment, self.log, serves=True
            )
        except (ApplianceError, OSError) as error:
            hint = error.hint if isinstance(error, ApplianceError) else ""
            cause = f"{error}; {hint}" if hint else str(error)
            return _Death(cause, is_final=isinstance(error, TerminalError))
        self._show(pid=self._process.pid)
        death = await self._watch(self._process)
        self._show(ServiceState.STOPPING, death.cause)
        grace = HUNG_GRACE if death.is_hung else 0.0
        await self._end_process(min(grace, self.spec.stop_grace))
        return death

    async def _await_dependencies(self) -> None:
        def missing() -> list[str]:
            return [name for name in self.spec.dependencies if not self._host.is_ready(name)]

        if missing():
            self._show(ServiceState.WAITING, f"waiting for {', '.join(missing())}")
            await self._host.wait_for(lambda: not missing())

    async def _await_room(self) -> None:
        """Wait while a start could only fail for want of space and use up the restart budget."""
        while (free := self._host.free_bytes()) < ROOM_BYTES:
            words = f"{free / 1e6:.0f} MB are free, {ROOM_BYTES / 1e6:.0f} MB are needed to start"
            self._show(ServiceState.WAITING, f"waiting for disk space: {words}")
            await asyncio.sleep(ROOM_SECONDS)

    async def _await_files(self) -> None:
        """Wait, at no cost to the restart budget, while a stranger has a file of the service open."""
        while holder := await self._host.free_file(self.spec):
            self._show(ServiceState.WAITING, f"waiting for {holder}")
            await asyncio.sleep(FILE_SECONDS)

    async def _watch(self, process: ServiceProcess) -> _Death:
        """Probe until the process ends or must be ended."""
        began = clock.monotonic()
        health = Health(started=began)
        observer = self._observer = Observer(self.spec, self._host, process)
        try:
            while True:
                seen = await observer.look(health)
                now = clock.monotonic()
                if seen is None:
                    is_own = (process.exit_code or 0) >= 0
                    ready_for = health.ready_for(now)
                    return _Death(process.describe_exit(), ready_for, by_itself=is_own)
                self._note(seen, now)
                self._report_transition(health.state, seen, now - began)
                if cause := seen.verdict(now, observer.timing):
                    return _Death(cause, seen.ready_for(now), is_hung=True, by_itself=False)
                health = seen
                await observer.rest(health.next_look(self.spec.timing))
        finally:
            self._observer = self._steady_since = None

    def _note(self, health: Health, now: float) -> None:
        if health.state is not ServiceState.READY or health.failures:
            self._steady_since = None
        elif self._steady_since is None:
            self._steady_since = now
        self._show(health.state, health.evidence)

    async def _end_process(self, grace: float) -> None:
        """Stop the process; one stop at a time, which a cancellation does not interrupt."""
        if self._ending is None and self._process is not None:
            self._ending = asyncio.ensure_future(self._end(self._process, grace))
        if self._ending is not None:
            await asyncio.shield(self._ending)

    async def _end(self, process: ServiceProcess, grace: float) -> None:
        await self._host.end(process, grace)
        self.log.note(f"{clock.now():%Y-%m-%dT%H:%M:%SZ} {process.describe_exit()[:300]}")
        self._process = self._ending = None
        self._show(pid=None)

    def _give_up(self, reason: str) -> None:
        self._show(ServiceState.GIVEN_UP, reason)
        summary = f"{self.spec.name} given up: {reason}"
        self._host.report(
            EventKind.SERVICE_GIVEN_UP, summary, Severity.ERROR, {"service": self.spec.name}
        )

    def _report_transition(self, before: ServiceState, health: Health, seconds: float) -> None:
        name, after = self.spec.name, health.state
        if after is before or after is ServiceState.UNKNOWN:
            return
        if after is ServiceState.UNHEALTHY:
            self._report(Severity.WARNING, f"{name} is unhealthy: {health.evidence}")
        elif before is ServiceState.STARTING:
            self._report(Severity.INFO, f"{name} is ready after {seconds:.1f} s")
        elif before is ServiceState.UNHEALTHY:
            self._report(Severity.INFO, f"{name} has recovered: {health.evidence}")

    def _report(self, severity: Severity, summary: str) -> None:
        details: dict[str, object] = {
            "service": self.spec.name,
            "state": self.status.observed.value,
            "restarts": self.status.restarts,
        }
        self._host.report(EventKind.SERVICE_STATE, summary, severity, details)

    def _show(
        self,
        observed: ServiceState | None = None,
        reason: str | None = None,
        **changes: object,
    ) -> None:
        old = self.status
        if observed is not None and observed is not old.observed:
            changes |= {"observed": observed, "since_at": clock.now()}
        if reason is not None:
            changes["reason"] = reason
        new = replace(old, **changes)  # type: ignore[arg-type]
        if new != old:
            self.status = new
            self._host.changed()


def unknown_service(name: str, known: Sequence[str]) -> ServiceError:
    """Return the error for a name that no service has."""
    return ServiceError(
        f"there is no service {name!r}",
        code="service.unknown",
        hint=f"services: {', '.join(known)}",
    )
