"""What DuckDB runs now; stops it when the caller is gone or others find no memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from appliance import clock
from appliance.errors import StoreError

_LONG_SECONDS = 1.0
"""A read that has taken longer may be ended in favour of the others."""

_HEAVY_SECONDS = 0.3


@dataclass(eq=False, slots=True)
class Running:
    """One statement, or one read of which rows are still to come."""

    cursor: Any
    is_abandoned: Callable[[], bool]
    may_be_ended: bool
    began: float = field(default_factory=clock.monotonic)
    is_working: bool = False
    """Whether DuckDB works on it now; its caller is known to be there, or to have gone, only then."""
    reason: StoreError | None = None
    """Why it was stopped, when DuckDB's own words would not tell."""


class RunningStatements:
    """All of them; may be used from several threads at once."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: set[Running] = set()
        self._has_ended_heavy = False

    @contextmanager
    def on(
        self, open_cursor: Callable[[], Any], is_abandoned: Callable[[], bool], may_be_ended: bool
    ) -> Iterator[Running]:
        """Keep a new cursor among them until the context ends; `open_cursor` may refuse."""
        with self._changed:
            running = Running(open_cursor(), is_abandoned, may_be_ended)
            self._running.add(running)
        try:
            yield running
        finally:
            running.cursor.close()
            with self._changed:
                self._running.discard(running)
                self._has_ended_heavy |= clock.monotonic() - running.began > _HEAVY_SECONDS
                self._changed.notify_all()

    @contextmanager
    def at_work(self, running: Running) -> Iterator[None]:
        """Surround DuckDB's work on a statement."""
        with self._changed:
            running.is_working = True
        try:
            yield
        finally:
            with self._changed:
                running.is_working = False

    def has_reads(self) -> bool:
        """Whether a read runs that may be ended."""
        with self._changed:
            return any(each.may_be_ended for each in self._running)

    def take_ended_heavy(self) -> bool:
        """Whether a statement has ended since the last call that took long, and so maybe much memory."""
        with self._changed:
            has_ended, self._has_ended_heavy = self._has_ended_heavy, False
        return has_ended

    def interrupt_abandoned(self) -> None:
        """Stop every statement whose caller has gone away."""
        with self._changed:
            for each in self._running:
                if each.is_working and each.is_abandoned():
                    each.cursor.interrupt()

    def interrupt_all(self) -> None:
        """Stop every statement."""
        with self._changed:
            for each in self._running:
                each.cursor.interrupt()

    def end_longest(self) -> bool:
        """Stop the read that has run longest, when it has run for long; return whether there was one."""
        with self._changed:
            since = clock.monotonic() - _LONG_SECONDS
            long = [each for each in self._running if each.may_be_ended and each.began < since]
            longest = min(long, key=lambda each: each.began, default=None)
            if longest is not None:
                longest.reason = StoreError(
                    "the query left no memory to the other callers of the store and was ended",
                    code="store.out_of_memory",
                    hint="ask for fewer rows or columns, or raise store.memory_limit in"
                    " compose/appliance.toml",
                )
                longest.cursor.interrupt()
        return longest is not None

    def wait_until_none(self, seconds: float) -> bool:
        """Wait until nothing runs; return whether that came true."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._running, seconds)
