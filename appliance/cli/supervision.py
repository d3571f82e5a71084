"""Starting and stopping the supervisor, one command at a time."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from appliance.cli import session
from appliance.cli.output import narrate
from appliance.config.instance_lock import holder_pid, is_stopping, is_supervised
from appliance.config.paths import Paths
from appliance.errors import ServiceError, TransientError

if TYPE_CHECKING:
    from appliance.cli.results import Stopped

DAEMON = (sys.executable, "-m", "appliance.daemon")
_POLL_SECONDS = 0.1


def start_or_join(timeout: float) -> bool:
    """Return once a supervisor answers, one that is started now or was there; whether it was started.

    One that is stopping is waited for; one that is starting, by whomever, is joined.

    Raises:
        ConfigError: the home or the configuration is wrong.
        ServiceError: it did not come up in time; says why.
    """
    home = session.paths()
    home.create()
    deadline = time.monotonic() + timeout
    said = ""
    with _turn(home, deadline):
        while True:
            if is_stopping(home):
                word = "waiting for the appliance to stop"
            elif session.is_running():
                narrate("the appliance is running already")
                return False
            elif _is_started(home):
                return True
            else:
                word = "waiting for the supervisor that is starting"
            if word != said:
                narrate(word)
            said = word
            if time.monotonic() > deadline:
                raise _stuck(home, timeout)
            time.sleep(_POLL_SECONDS)


def stop(timeout: float) -> Stopped:
    """Stop the supervisor and return once it has ended, or `timeout` seconds are over."""
    from appliance.cli.results import Stopped

    home = session.paths()
    if not home.home.exists():
        narrate("the appliance is not running")
        return Stopped(False, home.home, is_stopped=True)
    deadline = time.monotonic() + timeout
    with _turn(home, deadline):
        if not _is_asked_to_stop(home):
            leftovers = _stop_leftovers(home)
            return Stopped(bool(leftovers), home.home, is_stopped=True, leftovers=leftovers)
        narrate("stopping")
        while is_supervised(home):
            if time.monotonic() > deadline:
                return Stopped(True, home.home, is_stopped=False)
            time.sleep(_POLL_SECONDS)
    narrate("stopped")
    return Stopped(True, home.home, is_stopped=True)


def _is_started(home: Paths) -> bool:
    """Start a supervisor unless one has the home; whether one was started."""
    from appliance.supervisor.runtime import spawn_daemon

    if is_supervised(home):
        return False
    narrate(f"starting the appliance in {home.home}")
    try:
        spawn_daemon(home, DAEMON)
    except ServiceError:
        if not is_supervised(home):
            raise
        return False  # systemd's was faster
    return True


def _is_asked_to_stop(home: Paths) -> bool:
    """Ask this home's supervisor to stop, by a signal when it does not answer; False without one."""
    try:
        session.control().shut_down(session.origin())
    except TransientError:  # nobody listens, or nobody answers in time
        pid = holder_pid(home)
        if pid is None:
            return is_supervised(home)
        narrate(f"the supervisor does not answer; asking process {pid} by a signal")
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    return True


def _stop_leftovers(home: Paths) -> tuple[str, ...]:
    from appliance.supervisor.runtime import stop_leftovers

    stopped = stop_leftovers(home)
    narrate(
        f"no supervisor ran; stopped what it had left: {', '.join(stopped)}"
        if stopped
        else "the appliance is not running"
    )
    return tuple(stopped)


@contextmanager
def _turn(home: Paths, deadline: float) -> Iterator[None]:
    """Let one command at a time start or stop; the kernel ends the turn of one that is killed."""
    descriptor = os.open(home.turn_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise _busy(home) from None
                time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _busy(home: Paths) -> ServiceError:
    return ServiceError(
        f"another command has been starting or stopping the appliance of {home.home} all the time",
        code="service.busy",
        hint="wait for it, then try again; appliance status shows what goes on",
    )


def _stuck(home: Paths, seconds: float) -> ServiceError:
    return ServiceError(
        f"the supervisor (pid {holder_pid(home)}) neither answered nor ended within {seconds:.0f} s",
        hint="appliance logs supervisor shows why; appliance down ends it",
    )
