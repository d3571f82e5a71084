"""The supervisor as a daemon: one per home, detached or in the foreground."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from appliance import clock
from appliance.config.instance_lock import InstanceLock, is_supervised, mark_stopping
from appliance.config.listeners import forget_listeners
from appliance.config.paths import Paths
from appliance.errors import ApplianceError, ConfigError, ServiceError
from appliance.supervisor.log_file import copy_truncate, read_tail, rotate
from appliance.supervisor.sessions import read_records, stop_sessions

if TYPE_CHECKING:
    from appliance.config.settings import Settings
    from appliance.domain.event import Event
    from appliance.supervisor.supervisor import Supervisor

__all__ = ["is_supervised", "run", "spawn_daemon", "stop_leftovers"]

_log = logging.getLogger(__name__)

SPAWN_SECONDS = 20.0
LEFTOVER_GRACE_SECONDS = 10.0
TIDY_SECONDS = 24 * 3600.0
COLLECT_DELAY_SECONDS = 900.0
SAMPLE_SECONDS = 60.0
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
_CONFIGURATION = 2
"""The daemon's exit code when what it was told is wrong; see `appliance.cli.exit_code`."""
_OWN_LOG = "supervisor.log"
_SOCKETS = ("control_socket", "store_socket", "forecaster_socket")

Serve = Callable[["Supervisor"], Awaitable[None]]


async def run(
    paths: Paths,
    settings: Settings,
    serve: Serve,
    *,
    has_simulator: bool,
    on_event: Callable[[Event], None] | None = None,
) -> None:
    """Supervise one home until SIGTERM, SIGINT or `Supervisor.ask_to_stop`, then stop in order.

    Args:
        paths: the home, created, with its secrets.
        settings: the configuration.
        serve: answers the control API; runs beside the services from before their start until
            after their stop, and is cancelled then.
        has_simulator: whether candles come from the built-in simulator.
        on_event: told of events in the loop's thread; must not block.

    Raises:
        ServiceError: another supervisor has this home, or a port that was set is taken.
    """
    from appliance.supervisor.listeners import open_doors
    from appliance.supervisor.services import build_services, known_secrets
    from appliance.supervisor.supervisor import Supervisor

    with InstanceLock(paths):
        await asyncio.to_thread(end_leftovers, paths)
        doors = await asyncio.to_thread(open_doors, paths, settings, has_simulator=has_simulator)
        try:
            supervisor = Supervisor(
                paths,
                build_services(paths, settings, doors.by_service),
                on_event=on_event,
                secrets=known_secrets(paths),
                notes=doors.notes,
            )
            await supervise(paths, supervisor, serve)
        finally:
            forget_listeners(paths)
            doors.close()


async def supervise(paths: Paths, supervisor: Supervisor, serve: Serve) -> None:
    """Run a supervisor and its control API until it is asked to stop; the lock is the caller's."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.ask_to_stop, signal.Signals(number).name)
    serving = asyncio.ensure_future(serve(supervisor))
    serving.add_done_callback(lambda _: supervisor.ask_to_stop("the control API ended"))
    tidying = asyncio.create_task(_tidy_daily(paths))
    collecting = asyncio.create_task(_collect_daily(paths, supervisor))
    sampling = asyncio.create_task(sample_usage(paths, supervisor))
    try:
        await supervisor.start()
        await supervisor.wait_for_stop_request()
    finally:
        mark_stopping(paths)
        collecting.cancel()
        await asyncio.gather(collecting, return_exceptions=True)
        await supervisor.stop()
        for task in (serving, tidying, sampling):
            task.cancel()
        ended, *_ = await asyncio.gather(serving, tidying, sampling, return_exceptions=True)
        _remove_sockets(paths)
    if isinstance(ended, Exception):
        raise ended


async def sample_usage(
    paths: Paths, supervisor: Supervisor, interval: float = SAMPLE_SECONDS
) -> None:
    """Write down each minute what every service takes of the machine; runs until cancelled."""
    from appliance.supervisor.usage import read_usage
    from appliance.supervisor.usage_log import append_sample, take_sample, usage_between

    before, since = await asyncio.to_thread(read_usage, supervisor.sessions()), clock.monotonic()
    while True:
        await asyncio.sleep(interval)
        after, now = await asyncio.to_thread(read_usage, supervisor.sessions()), clock.monotonic()
        restarts = {service.name: service.restarts for service in supervisor.services()}
        services = usage_between(before, after, now - since, restarts)
        before, since = after, now
        try:
            append_sample(paths, take_sample(paths, clock.now(), services))
        except OSError as error:
            _log.warning("the services' usage could not be written down: %s", error)


async def _tidy_daily(paths: Paths) -> None:
    from appliance.supervisor.disk import prune_airflow_logs

    while True:
        removed = await asyncio.to_thread(prune_airflow_logs, paths)
        if removed:
            _log.info("pruned %d old files of Airflow's logs", removed)
        copy_truncate(paths.logs / _OWN_LOG)
        await asyncio.sleep(TIDY_SECONDS)


async def _collect_daily(paths: Paths, supervisor: Supervisor) -> None:
    """Let deleted runs and old models' files go, a while after all is up and each day after."""
    from appliance.supervisor.environment import base_environment
    from appliance.supervisor.mlflow_service import NAME
    from appliance.supervisor.services import STORE

    command = (sys.executable, "-m", "appliance", "models", "gc")
    while True:
        await supervisor.wait_for(lambda: supervisor.is_ready(NAME) and supervisor.is_ready(STORE))
        await asyncio.sleep(COLLECT_DELAY_SECONDS)
        code = await supervisor.run("retention", command, base_environment(paths))
        if code != 0:
            _log.warning("retention of models and runs exited with code %d: see its log", code)
        await asyncio.sleep(TIDY_SECONDS)


def _remove_sockets(paths: Paths) -> None:
    """Remove what a killed service may have left; every process has ended by now."""
    for name in _SOCKETS:
        Path(getattr(paths, name)).unlink(missing_ok=True)
    for left in paths.postgres_socket_dir.glob(".s.PGSQL.*"):
        left.unlink(missing_ok=True)


def spawn_daemon(paths: Paths, command: Sequence[str], *, timeout: float = SPAWN_SECONDS) -> None:
    """Start `command`, a supervisor in the foreground, detached; return when its socket answers.

    Its output goes to `logs/supervisor.log`.

    Raises:
        ConfigError: its configuration is wrong.
        ServiceError: it ended, or did not answer in time; says what it wrote last.
    """
    from appliance.supervisor.environment import base_environment

    log = paths.logs / _OWN_LOG
    rotate(log)
    with os.fdopen(os.open(log, _APPEND, 0o600), "ab") as output:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=base_environment(paths),
            start_new_session=True,
            umask=0o077,
        )
    deadline = time.monotonic() + timeout
    while not _answers(paths.control_socket):
        code = process.poll()
        if code is not None or time.monotonic() > deadline:
            raise _not_started(log, code)
        time.sleep(0.05)


def _not_started(log: Path, code: int | None) -> ApplianceError:
    """Return why a daemon did not come up: its own words where it left some."""
    how = "does not answer" if code is None else f"ended with code {code}"
    lines = [line for line in read_tail(log, 20) if line.strip()]
    said = {
        mark: line.removeprefix(mark).strip()
        for line in lines
        for mark in ("error:", "next:")
        if line.startswith(mark)
    }
    reason = said.get("error:") or (lines[-1] if lines else "")
    if code == _CONFIGURATION and reason:
        return ConfigError(reason, code="service.supervisor", hint=said.get("next:", ""))
    return ServiceError(
        f"the supervisor {how}: {reason}" if reason else f"the supervisor {how}",
        code="service.supervisor",
        hint=said.get("next:") or "appliance logs supervisor",
    )


def _answers(path: Path) -> bool:
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def end_leftovers(paths: Paths) -> None:
    """Stop what an earlier supervisor left, whose ports are wanted; blocks, with the lock held."""
    records = read_records(str(paths.sessions_file))
    alive = [record for record in records if record.members()]
    if alive:
        names = ", ".join(record.name for record in alive)
        _log.warning("stopping what an earlier supervisor left: %s", names)
        stop_sessions(alive, LEFTOVER_GRACE_SECONDS)


def stop_leftovers(paths: Paths) -> list[str]:
    """Stop what a dead supervisor has left in this home; return the services' names. Blocks.

    Raises:
        ServiceError: a supervisor is alive, or something survives SIGKILL.
    """
    if not paths.sessions_file.exists():
        return []
    with InstanceLock(paths):
        alive = [record for record in read_records(str(paths.sessions_file)) if record.members()]
        surviving = stop_sessions(alive, LEFTOVER_GRACE_SECONDS)
        if surviving:
            raise ServiceError(
                f"cannot stop {', '.join(surviving)}: processes survive SIGKILL",
                hint="a disk or network mount that hangs holds them; look at `dmesg`",
            )
        paths.sessions_file.unlink(missing_ok=True)
        forget_listeners(paths)
        _remove_sockets(paths)
        return [record.name for record in alive]
