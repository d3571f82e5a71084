"""All services of one home: ordered start, watch, restart, staged stop."""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import logging
import os
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from appliance import clock
from appliance.config.file_holder import file_holders
from appliance.config.ownership import SERVICE_VARIABLE
from appliance.config.paths import Paths
from appliance.domain.event import Event, EventKind, Severity
from appliance.domain.origin import Origin, Through
from appliance.domain.service import ServiceStatus
from appliance.supervisor.guard_process import Guard
from appliance.supervisor.log_file import LogFile
from appliance.supervisor.lookouts import Lookouts
from appliance.supervisor.managed import ManagedService, unknown_service
from appliance.supervisor.process import ServiceProcess, spawn
from appliance.supervisor.procfs import (
    ProcessEntry,
    all_processes,
    has_environment,
    read_process,
)
from appliance.supervisor.sessions import (
    SessionRecord,
    end_process,
    stop_session,
    write_records,
)
from appliance.supervisor.slowness import Slowness, runnable_tasks
from appliance.supervisor.spec import Probe, ProcessFacts, ServiceSpec

_log = logging.getLogger(__name__)

PR_SET_CHILD_SUBREAPER = 36
_WORKERS = 12
ITSELF = Origin("supervisor", Through.SERVICE)

R = TypeVar("R")
Listener = Callable[[tuple[ServiceStatus, ...]], None]


class Supervisor:
    """Owns the processes of one home; lives in one asyncio loop, in the main thread.

    Args:
        paths: the home.
        specs: the services; names are unique and dependencies among them.
        on_event: told of state changes and of services given up, in the loop's thread: it must
            not block.
        secrets: values blotted out of every log.
        notes: what the operator should know of this start, such as another port; become events.
    """

    def __init__(
        self,
        paths: Paths,
        specs: Sequence[ServiceSpec],
        *,
        on_event: Callable[[Event], None] | None = None,
        secrets: Sequence[str] = (),
        notes: Sequence[str] = (),
    ) -> None:
        self._paths = paths
        self._on_event = on_event
        self._notes = tuple(notes)
        self._secrets = tuple(secrets)
        self._stop_requested = asyncio.Event()
        self._stop_reason = "stopped on request"
        self._services = {
            spec.name: ManagedService(
                spec, self, LogFile(paths.logs / f"{spec.name}.log", secrets=secrets)
            )
            for spec in specs
        }
        self._sessions: dict[int, SessionRecord] = {}
        self._listeners: list[Listener] = []
        self._change = asyncio.Event()
        self._snapshot = self._take_snapshot()
        self._doors = [spec.door for spec in specs if spec.door is not None]
        self._guard = Guard(paths, [door.descriptor for door in self._doors])
        self._chores: list[asyncio.Task[None]] = []
        self._restarts: dict[str, asyncio.Task[None]] = {}
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="supervisor")
        self._lookouts = Lookouts(len(specs))
        self._slowness = Slowness()

    # -- what the control API uses

    def services(self) -> tuple[ServiceStatus, ...]:
        """Return every service as last observed; safe from any thread."""
        return self._snapshot

    def sessions(self) -> tuple[SessionRecord, ...]:
        """Return the process sessions on the record, those of preparations included."""
        return tuple(self._sessions.values())

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with a snapshot now and after each change; return how to end it.

        The listener runs in the loop's thread and must not block.
        """
        self._listeners.append(listener)
        listener(self._snapshot)
        return lambda: self._listeners.remove(listener)

    async def restart(self, name: str, origin: Origin) -> None:
        """Stop and start one service with a fresh budget; returns once that has begun.

        Raises:
            ServiceError: no service has this name.
        """
        service = self._services.get(name)
        if service is None:
            raise unknown_service(name, list(self._services))
        under_way = self._restarts.get(name)
        if under_way is not None and not under_way.done():
            return
        summary = f"{name} is restarted on request of {origin.name}"
        details: dict[str, object] = {"service": name}
        self.report(EventKind.SERVICE_STATE, summary, Severity.INFO, details, origin)
        self._restarts[name] = asyncio.create_task(self._restart(service, origin))
        await asyncio.sleep(0)

    async def _restart(self, service: ManagedService, origin: Origin) -> None:
        await service.stop(f"restarting on request of {origin.name}")
        service.start()

    def ask_to_stop(self, by: str) -> None:
        """Ask whoever runs the supervisor to stop it; call in the loop's thread."""
        if not self._stop_requested.is_set():
            _log.info("stop requested by %s", by)
            self._stop_reason = f"stopped by {by}"
            self._stop_requested.set()

    async def run(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Run a command to its end in a session of its own; its output goes to `logs/<name>.log`.

        Cancelling ends the command. Returns its exit code.
        """
        log = LogFile(self._paths.logs / f"{name}.log", secrets=self._secrets)
        process = spawn(name, command, {**environment, SERVICE_VARIABLE: name}, log)
        self._sessions[process.pid] = process.record
        self._record_sessions()
        try:
            await process.exited.wait()
        finally:
            await asyncio.shield(self.end(process, 0.0))
            log.close()
        return process.exit_code or 0

    # -- life

    async def wait_for_stop_request(self) -> None:
        """Return when `ask_to_stop` was called."""
        await self._stop_requested.wait()

    async def start(self) -> None:
        """Start everything; return at once."""
        for door in self._doors:
            door.shut()
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._record_sessions()
        self._guard.start()
        self._chores = [
            asyncio.create_task(self._guard.watch()),
            asyncio.create_task(self._reap_orphans()),
            asyncio.create_task(self._keep_watch()),
        ]
        for note in self._notes:
            self.report(EventKind.SERVICE_STATE, note, Severity.WARNING, {})
        for service in self._services.values():
            service.start()

    async def stop(self) -> None:
        """Stop every service in stages until no process of any session is left."""
        for restart in self._restarts.values():
            restart.cancel()
        await asyncio.gather(*self._restarts.values(), return_exceptions=True)
        stages = itertools.groupby(
            sorted(self._services.values(), key=lambda service: service.spec.stop_stage),
            key=lambda service: service.spec.stop_stage,
        )
        for _, stage in stages:
            await asyncio.gather(*(service.stop(self._stop_reason) for service in stage))
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        self._end_strays()
        self._guard.dismiss()
        self._paths.sessions_file.unlink(missing_ok=True)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._lookouts.dismiss()
        for service in self._services.values():
            service.log.close()

    # -- what the managed services use (`Host`)

    def is_ready(self, name: str) -> bool:
        """Whether a service serves; one that is not supervised here counts as served."""
        service = self._services.get(name)
        return service is None or service.status.is_ready

    def steady_seconds(self, name: str) -> float:
        """Return for how long a service has been ready without a failed look; 0 when it is not.

        One that is not supervised here counts as ready for ever.
        """
        service = self._services.get(name)
        return float("inf") if service is None else service.steady_seconds

    def slowness(self) -> float:
        """Return how much slower than a quiet machine this one is, at least 1."""
        return self._slowness.factor

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return as soon as `condition` holds; it is asked at each change of any service."""
        while not condition():
            await self._change.wait()

    def changed(self) -> None:
        """Publish a new snapshot."""
        self._snapshot = self._take_snapshot()
        change, self._change = self._change, asyncio.Event()
        change.set()
        for listener in tuple(self._listeners):
            listener(self._snapshot)

    def free_bytes(self) -> int:
        """Return the room left on the home's disk."""
        return shutil.disk_usage(self._paths.home).free

    def report(
        self,
        kind: EventKind,
        summary: str,
        severity: Severity,
        details: dict[str, object],
        origin: Origin = ITSELF,
    ) -> None:
        """Log an event and hand it on."""
        _log.log(_LEVELS[severity], "%s", summary)
        if self._on_event is not None:
            self._on_event(
                Event(
                    kind=kind,
                    summary=summary,
                    actor=origin.name,
                    at=clock.now(),
                    severity=severity,
                    details=details,
                    origin=origin,
                )
            )

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
        """Start a process and record its session for the guard."""
        process = spawn(
            spec.name,
            command,
            {**environment, SERVICE_VARIABLE: spec.name},
            log,
            text=text,
            stop_signal=spec.stop_signal,
            stop_grace=spec.stop_grace,
            door=spec.door if serves else None,
        )
        log.note(f"{clock.now():%Y-%m-%dT%H:%M:%SZ} started pid={process.pid}")
        self._sessions[process.pid] = process.record
        self._record_sessions()
        return process

    async def end(self, process: ServiceProcess, grace: float) -> None:
        """Stop a process' whole session and take it off the record."""
        process.turn_away()
        is_empty = await self._run_blocking(stop_session, process.record, grace)
        if is_empty:
            await process.exited.wait()
            self._sessions.pop(process.pid, None)
            self._record_sessions()
        else:
            _log.error("service=%s pid=%s survives SIGKILL", process.record.name, process.pid)
        process.close()

    async def look(self, spec: ServiceSpec, facts: ProcessFacts) -> Probe:
        """Probe in a worker thread, within the spec's time."""
        return await self._lookouts.look(spec, facts)

    async def free_file(self, spec: ServiceSpec) -> str:
        """End a process of this home that has one of the service's files; see `Host.free_file`."""
        for holder in await self._run_blocking(file_holders, *spec.files):
            if not self._is_of_home(holder.pid):
                return f"{holder.file}, which {holder} has open"
            summary = f"{holder} has {holder.file} open, which is {spec.name}'s alone: it is ended"
            details: dict[str, object] = {"service": spec.name, "pid": holder.pid}
            self.report(EventKind.SERVICE_STATE, summary, Severity.WARNING, details)
            await self._run_blocking(end_process, holder.pid)
        return ""

    # -- inside

    async def _run_blocking(self, function: Callable[..., R], *args: object) -> R:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, function, *args)

    def _record_sessions(self) -> None:
        records = list(self._sessions.values())
        write_records(str(self._paths.sessions_file), os.getpid(), records)

    def _take_snapshot(self) -> tuple[ServiceStatus, ...]:
        return tuple(service.status for service in self._services.values())

    async def _keep_watch(self, interval: float = 1.0) -> None:
        """Measure the machine, and notice processes that a signal has stopped; until cancelled."""
        while True:
            due_at = clock.monotonic() + interval
            await asyncio.sleep(interval)
            self._slowness.note(runnable_tasks(), clock.monotonic() - due_at)
            for service in self._services.values():
                service.notice_stop()

    async def _reap_orphans(self, interval: float = 10.0) -> None:
        """Reap ended processes that were adopted; runs until cancelled.

        Only those seen twice: whoever started a child of this process has reaped it by then.
        """
        seen: set[int] = set()
        while True:
            await asyncio.sleep(interval)
            adopted = await self._run_blocking(self._adopted)
            zombies = {entry.pid for entry in adopted if entry.is_zombie}
            for pid in (zombies & seen) - self._sessions.keys():
                _reap(pid)
            seen = zombies

    def _is_of_home(self, pid: int) -> bool:
        """Return whether a supervisor of this home has started a process, or an ancestor of it."""
        entry = read_process(pid)
        if entry is None or entry.session in self._sessions:
            return entry is not None
        is_tagged = has_environment(pid, f"APPLIANCE_HOME={self._paths.home}".encode())
        return is_tagged and has_environment(pid, SERVICE_VARIABLE.encode() + b"=", is_whole=False)

    def _adopted(self) -> list[ProcessEntry]:
        """Return children in sessions that are not on the record: orphans the kernel gave us."""
        own, own_session = os.getpid(), os.getsid(0)
        return [
            entry
            for entry in all_processes()
            if entry.parent == own
            and entry.session != own_session
            and entry.pid not in self._sessions
            and entry.pid != self._guard.pid
        ]

    def _end_strays(self) -> None:
        """Kill adopted processes of this home that had left their service's session."""
        tag = f"APPLIANCE_HOME={self._paths.home}".encode()
        for entry in self._adopted():
            if not entry.is_zombie and has_environment(entry.pid, tag):
                _log.warning("killing stray process pid=%d", entry.pid)
                os.kill(entry.pid, signal.SIGKILL)
                os.waitpid(entry.pid, 0)


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        _log.debug("pid=%d was reaped elsewhere", pid)


_LEVELS = {
    Severity.INFO: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.ERROR: logging.ERROR,
}
