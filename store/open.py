"""The way in: the store's service, or the file itself where no supervisor lives to run one."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from appliance import clock
from appliance.config.last_status import read_last_status
from appliance.config.ownership import may_open_files_of
from appliance.config.paths import Paths
from appliance.errors import StoreUnavailable
from store.lock import StoreLock, holder

if TYPE_CHECKING:
    from store.client import FlightSession
    from store.session import Session

READ_SECONDS = 60.0
_RETRY_SECONDS = 0.05
_SERVICE = "store"


def open_store(
    paths: Paths, *, wait_seconds: float = 5.0, read_seconds: float = READ_SECONDS
) -> Session:
    """Return a session: a client of the service, or the file under an exclusive lock, migrated.

    While a supervisor of the home lives, and in any process that one has started, only the service
    opens the file; everybody else waits for the service. Otherwise this waits while another process
    holds the file, and takes whichever becomes free first.

    Args:
        paths: the home.
        wait_seconds: how long to wait.
        read_seconds: how long the service may take to answer one read of the session.

    Raises:
        StoreUnavailable: neither within `wait_seconds`; says what was waited for.
        StoreError: the file or the service has a schema that this code does not know.
    """
    deadline = clock.monotonic() + wait_seconds
    while True:
        left = max(deadline - clock.monotonic(), _RETRY_SECONDS)
        session = reach_service(paths, left, read_seconds) or _file(paths)
        if session is not None:
            return session
        if clock.monotonic() >= deadline:
            raise _unavailable(paths, wait_seconds)
        time.sleep(_RETRY_SECONDS)


def open_service(paths: Paths, *, wait_seconds: float = 5.0) -> Session:
    """Return a client of the service, never the file.

    Raises:
        StoreUnavailable: it does not listen, or does not answer within `wait_seconds`.
        StoreError: it has a schema that this code does not know.
    """
    session = reach_service(paths, wait_seconds, READ_SECONDS)
    if session is None:
        raise silent_service(paths, wait_seconds)
    return session


def _unavailable(paths: Paths, seconds: float) -> StoreUnavailable:
    if not may_open_files_of(_SERVICE, paths):
        return silent_service(paths, seconds)
    return StoreUnavailable(
        f"{paths.store_file} is held by {holder(paths.store_file)}"
        f" and no store service answered within {seconds:g} s",
        hint="wait until that process is done and try again; appliance status shows more",
    )


def silent_service(paths: Paths, seconds: float) -> StoreUnavailable:
    """Return the error for a service that has not answered within `seconds`."""
    last = read_last_status(paths)
    state = last.service(_SERVICE) if last is not None else ""
    known = f" ({state})" if state else ""
    return StoreUnavailable(
        f"waited {seconds:.3g} s for the store's service{known}, which does not answer",
        hint="the supervisor restarts it: try again in a moment; appliance status shows more",
    )


def reach_service(paths: Paths, seconds: float, read_seconds: float) -> FlightSession | None:
    """Return a client of the service, None when it does not answer within `seconds`.

    Raises:
        StoreError: it has a schema that this code does not know.
    """
    if not _is_listening(paths):
        return None
    from store.client import FlightSession

    session = FlightSession(paths.store_socket, read_seconds=read_seconds)
    try:
        session.health(seconds)
    except StoreUnavailable:
        session.close()
        return None
    except BaseException:
        session.close()
        raise
    return session


def _is_listening(paths: Paths) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(paths.store_socket))
        except OSError:
            return False
    return True


def _file(paths: Paths) -> Session | None:
    if not may_open_files_of(_SERVICE, paths):
        return None
    lock = StoreLock.acquire(paths.store_file)
    if lock is None:
        return None
    # A supervisor that came after the first look waits for the lock; one that came before it must not.
    if not may_open_files_of(_SERVICE, paths):
        lock.release()
        return None
    try:
        from appliance.config.settings import load_settings
        from store.database import Database

        settings = load_settings(paths).store
    except BaseException:
        lock.release()
        raise
    return Database(paths.store_file, settings, lock)
