"""One supervisor per home: its lock lies in the home, so that no caller's environment moves it."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType

from appliance import clock
from appliance.config.paths import Paths, write_atomically
from appliance.errors import ServiceError

_PATIENCE_SECONDS = 0.3
_STOPPING = "stopping"


class InstanceLock:
    """Holds the home's supervisor lock while entered; the kernel drops it at any kind of death.

    Raises:
        ServiceError: on entering, when another supervisor has it.
    """

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._descriptor = -1

    def __enter__(self) -> InstanceLock:
        if any(map(_is_held, _former_locks(self._paths))):
            raise _runs_already(self._paths)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._descriptor = os.open(self._paths.supervisor_lock, flags, 0o600)
        except OSError as error:
            raise ServiceError(
                f"the lock {self._paths.supervisor_lock} cannot be opened: {error.strerror}",
                code="service.lock",
                hint=f"move it away: {self._paths.supervisor_lock}",
            ) from error
        if not _acquire(self._descriptor):
            os.close(self._descriptor)
            raise _runs_already(self._paths)
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


def _runs_already(paths: Paths) -> ServiceError:
    return ServiceError(
        f"the appliance of {paths.home} runs already (supervisor pid {holder_pid(paths)})",
        code="service.running",
        hint="`appliance status` shows it, `appliance down` stops it",
    )


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
    return _held_lock(paths) is not None


def mark_stopping(paths: Paths) -> None:
    """Let whoever looks at the lock know that its holder, who calls this, is stopping, and keep when."""
    with suppress(OSError):  # a full disk keeps nobody from stopping
        write_atomically(paths.last_stop_file, f"{clock.now().isoformat()}\n")
    paths.supervisor_lock.write_text(f"{os.getpid()}\n{_STOPPING}\n", encoding="ascii")


def is_stopping(paths: Paths) -> bool:
    """Return whether this home's supervisor is stopping, so that its end can be waited for."""
    return _STOPPING in _note_of_holder(paths)


def last_stop_at(paths: Paths) -> datetime | None:
    """Return when a supervisor of this home was last asked to stop, None when nobody has noted it."""
    try:
        return datetime.fromisoformat(paths.last_stop_file.read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        return None


def was_stopped_since(paths: Paths, began_at: datetime | None) -> bool:
    """Whether the appliance is stopping, or has been asked to stop since something began."""
    stopped_at = last_stop_at(paths)
    is_older = began_at is not None and stopped_at is not None and began_at < stopped_at
    return is_stopping(paths) or is_older


def holder_pid(paths: Paths) -> int | None:
    """Return the pid that the lock's holder wrote, None when nobody holds it."""
    first = (_note_of_holder(paths) or [""])[0]
    return int(first) if first.isdigit() else None


def _note_of_holder(paths: Paths) -> list[str]:
    """Return what the lock's holder wrote: its pid, and whether it is stopping."""
    lock = _held_lock(paths)
    try:
        return lock.read_text(encoding="ascii").split() if lock else []
    except (OSError, ValueError):
        return []


def _held_lock(paths: Paths) -> Path | None:
    return next(filter(_is_held, (paths.supervisor_lock, *_former_locks(paths))), None)


def _former_locks(paths: Paths) -> list[Path]:
    """Return where a supervisor of an earlier version holds its lock, unless it is a stranger's."""
    return [lock for lock in paths.former_locks if _is_ours(lock)]


def _is_ours(path: Path) -> bool:
    try:
        return path.lstat().st_uid == os.getuid()
    except OSError:
        return False


def _is_held(lock: Path) -> bool:
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
