"""The way in: the store's service when it runs, else the file itself."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from appliance import clock
from appliance.config.paths import Paths
from appliance.errors import StoreUnavailable
from store.lock import StoreLock, holder

if TYPE_CHECKING:
    from store.session import Session

_RETRY_SECONDS = 0.05


def open_store(paths: Paths, *, wait_seconds: float = 5.0) -> Session:
    """Return a session: a client of the service, or the file under an exclusive lock, migrated.

    Waits while another process holds the file and no service answers; takes whichever becomes free
    first.

    Raises:
        StoreUnavailable: neither within `wait_seconds`.
        StoreError: the file or the service has a schema that this code does not know.
    """
    deadline = clock.monotonic() + wait_seconds
    while True:
        session = _service(paths) or _file(paths)
        if session is not None:
            return session
        if clock.monotonic() >= deadline:
            raise StoreUnavailable(
                f"{paths.store_file} is held by {holder(paths.store_file)}"
                f" and no store service answered within {wait_seconds:g} s",
                hint="wait until that process is done and try again; appliance status shows more",
            )
        time.sleep(_RETRY_SECONDS)


def _service(paths: Paths) -> Session | None:
    if not _is_listening(paths):
        return None
    from store.client import FlightSession

    session = FlightSession(paths.store_socket)
    try:
        session.health()
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
    lock = StoreLock.acquire(paths.store_file)
    if lock is None:
        return None
    try:
        from appliance.config.settings import load_settings
        from store.database import Database

        settings = load_settings(paths).store
    except BaseException:
        lock.release()
        raise
    return Database(paths.store_file, settings, lock)
