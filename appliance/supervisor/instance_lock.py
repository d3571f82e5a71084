"""One supervisor per home."""

from __future__ import annotations

import fcntl
import os
import time
from types import TracebackType

from appliance.config.paths import Paths
from appliance.errors import ServiceError

_PATIENCE_SECONDS = 0.3


class InstanceLock:
    """Holds the home's supervisor lock while entered; the kernel drops it at any kind of death.

    Raises:
        ServiceError: on entering, when another supervisor has it.
    """

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._descriptor = -1

    def __enter__(self) -> InstanceLock:
        self._descriptor = _open(self._paths)
        if not _acquire(self._descriptor):
            holder = holder_pid(self._paths)
            os.close(self._descriptor)
            raise ServiceError(
                f"the appliance of {self._paths.home} runs already (supervisor pid {holder})",
                code="service.running",
                hint="`appliance status` shows it, `appliance down` stops it",
            )
        os.truncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.truncate(self._descriptor, 0)
        os.close(self._descriptor)


def _acquire(descriptor: int) -> bool:
    """Take the lock, patient enough to outlast somebody who only looks (`is_supervised`)."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        else:
            return True


def is_supervised(paths: Paths) -> bool:
    """Return whether a supervisor holds this home's lock."""
    if not paths.supervisor_lock.exists():
        return False
    descriptor = _open(paths)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def holder_pid(paths: Paths) -> int | None:
    """Return the pid that the lock's holder wrote, None when there is none."""
    try:
        return int(paths.supervisor_lock.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None


def _open(paths: Paths) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    return os.open(paths.supervisor_lock, flags, 0o600)
