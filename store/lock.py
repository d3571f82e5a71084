"""The lock that gives a store file exactly one owner."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from appliance.config.file_holder import file_holders


class StoreLock:
    """A flock on `<store file>.lock`, exclusive for its owner, held until released or until the process ends.

    The kernel drops it with the process, so it is never stale. The file itself stays: deleting it
    would let two processes lock two different files of the same name.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, store_file: Path) -> StoreLock | None:
        """Take the lock without waiting; None when another holds it."""
        path = lock_file(store_file)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        return cls(descriptor)

    @classmethod
    def share(cls, store_file: Path) -> StoreLock | None:
        """Take the lock beside other readers, without waiting; None when an owner holds it.

        Nothing is written: a file that never had an owner has no lock, and readers need none.
        """
        try:
            descriptor = os.open(lock_file(store_file), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return cls(None)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return cls(descriptor)

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def lock_file(store_file: Path) -> Path:
    """Return the lock's path."""
    return store_file.with_name(store_file.name + ".lock")


def holder(store_file: Path) -> str:
    """Return who holds the lock or the file itself, in words, for messages."""
    holders = file_holders(lock_file(store_file), store_file)
    return " and ".join(str(each) for each in holders) or "another process"
