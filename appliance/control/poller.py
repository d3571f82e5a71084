"""A source that is read again and again; the last good value outlives its failures."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar

from appliance import clock
from appliance.errors import ApplianceError

_log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """The last good value and when it was read, None before the first.

    The rest is set while the source fails.
    """

    value: T | None = None
    read_at: datetime | None = None
    error: str = ""
    code: str = ""
    hint: str = ""
    failed_since: datetime | None = None


class Poller(Generic[T]):
    """Reads one source in a thread of its own.

    Args:
        name: what the source is called in `ApplianceStatus.stale` and in the log.
        interval: returns the seconds from the end of one read to the next; asked after each.
        read: returns a new value; may raise.
    """

    def __init__(self, name: str, interval: Callable[[], float], read: Callable[[], T]) -> None:
        self.name = name
        self._interval = interval
        self._read = read
        self._reading: Reading[T] = Reading(error="not read yet")
        self._wake = threading.Event()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name=f"poll-{name}", daemon=True)

    @property
    def reading(self) -> Reading[T]:
        """The newest reading."""
        return self._reading

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def poke(self) -> None:
        """Read again now, because something has just changed."""
        self._wake.set()

    def stop(self, seconds: float = 5.0) -> None:
        """Read no more; waits up to `seconds` for a read under way."""
        self._is_stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._is_stopping:
            self._wake.clear()
            self._reading = self._read_once()
            self._wake.wait(self._interval())

    def _read_once(self) -> Reading[T]:
        before = self._reading
        try:
            value = self._read()
        except ApplianceError as error:
            return self._failed(before, error.message, error.code, error.hint)
        except Exception as error:
            if not before.failed_since:
                _log.exception("source=%s failed unexpectedly", self.name)
            return self._failed(before, f"{type(error).__name__}: {error}")
        if before.failed_since:
            _log.info("source=%s is read again", self.name)
        return Reading(value, clock.now())

    def _failed(
        self, before: Reading[T], reason: str, code: str = "", hint: str = ""
    ) -> Reading[T]:
        if before.failed_since is None and before.value is not None:
            _log.warning("source=%s cannot be read: %s", self.name, reason)
        since = before.failed_since or clock.now()
        return replace(before, error=reason, code=code, hint=hint, failed_since=since)
