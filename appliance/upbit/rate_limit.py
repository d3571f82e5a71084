"""One request budget per exchange host, shared by every process and home of this user.

The exchange counts requests per second, IP and group. Where its seconds begin is unknown, so the rule
here holds for every window: request i + N starts no earlier than one second after the reply to request
i arrived. The state is a small file per host under an exclusive `flock`; its times are
`CLOCK_MONOTONIC`, which all processes of a machine share.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from appliance import clock
from appliance.errors import UpbitUnavailable

WINDOW_SECONDS = 1.0
_MARGIN_SECONDS = 0.004
_FORGOTTEN_AFTER_SECONDS = 20.0  # longer than any request may take; frees slots of killed processes
_EXCHANGE_LIMIT = 10
_IN_FLIGHT_POLL_SECONDS = 0.01


@dataclass(slots=True)
class _Group:
    """Slots of one request group: id -> [started, finished or None]; nothing starts before `hold`."""

    slots: dict[str, list[float | None]] = field(default_factory=dict)
    hold_until: float = 0.0


@dataclass(slots=True)
class _State:
    groups: dict[str, _Group] = field(default_factory=dict)
    blocked_until: float = 0.0


class Slot:
    """Permission for one request; tells the limit what the reply's headers said."""

    def __init__(self, limit: HostRateLimit, group: str, key: str) -> None:
        self._limit = limit
        self._group = group
        self.key = key

    def observe(self, remaining: int | None) -> None:
        """Take in `sec` of the reply's `Remaining-Req` header."""
        if remaining is not None:
            self._limit.observe(self._group, remaining)


class HostRateLimit:
    """Budget of requests to one host, in requests per second and group.

    Args:
        directory: where the shared state lives; see `shared_directory`.
        per_second: ceiling for all processes together, at most the exchange's own 10.
        host: `name:port` of the server, which names the state file.
    """

    def __init__(self, directory: Path, per_second: int, host: str = "default") -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in host)
        self._file = directory / f"{name}.json"
        self._per_second = per_second

    @contextmanager
    def acquire(self, group: str) -> Iterator[Slot]:
        """Wait for a slot, hold it while the request runs, free it one window after its end.

        Raises:
            UpbitUnavailable: the exchange has blocked this host; says until when.
        """
        key = secrets.token_hex(6)
        while (wait := self._try_start(group, key)) > 0:
            time.sleep(wait)
        try:
            yield Slot(self, group, key)
        finally:
            with self._locked() as state:
                started = self._group(state, group).slots.pop(key, [None])[0]
                ended = clock.monotonic()
                self._group(state, group).slots[key] = [
                    ended if started is None else started,
                    ended,
                ]

    def observe(self, group: str, remaining: int) -> None:
        """Hold the group for a second when others on this IP use up the exchange's budget."""
        now = clock.monotonic()
        with self._locked() as state:
            budget = self._group(state, group)
            foreign = _EXCHANGE_LIMIT - remaining - len(budget.slots)
            if foreign > 0 and remaining <= max(foreign, 1):
                budget.hold_until = max(budget.hold_until, now + WINDOW_SECONDS)

    def hold(self, group: str, seconds: float) -> None:
        """Let no process start a request of this group for some seconds (after a 429)."""
        with self._locked() as state:
            budget = self._group(state, group)
            budget.hold_until = max(budget.hold_until, clock.monotonic() + seconds)

    def block(self, seconds: float) -> None:
        """Let no process start any request to this host for some seconds (after a 418)."""
        with self._locked() as state:
            state.blocked_until = max(state.blocked_until, clock.monotonic() + seconds)

    def blocked_error(self, seconds: float) -> UpbitUnavailable:
        """Return the error that says until when the exchange blocks this host."""
        until_at = clock.now() + timedelta(seconds=seconds)
        return UpbitUnavailable(
            f"the market server has blocked this host until {until_at:%H:%M:%S} UTC "
            "after too many requests (418)",
            code="upbit.blocked",
            hint="nothing to do: requests resume by themselves after that; "
            "look for other programs on this IP that use the same exchange",
            until_at=until_at,
        )

    def _try_start(self, group: str, key: str) -> float:
        """Take a slot and return 0, or return the seconds to wait before trying again."""
        now = clock.monotonic()
        with self._locked() as state:
            if state.blocked_until > now:
                raise self.blocked_error(state.blocked_until - now)
            budget = self._group(state, group)
            if budget.hold_until > now:
                return budget.hold_until - now
            if len(budget.slots) < self._per_second:
                budget.slots[key] = [now, None]
                return 0.0
            return self._seconds_to_free(budget, now)

    def _seconds_to_free(self, budget: _Group, now: float) -> float:
        ends = sorted(end for _, end in budget.slots.values() if end is not None)
        excess = len(budget.slots) - self._per_second
        if len(ends) <= excess:
            return _IN_FLIGHT_POLL_SECONDS
        return max(ends[excess] + WINDOW_SECONDS + _MARGIN_SECONDS - now, 0.001)

    def _group(self, state: _State, name: str) -> _Group:
        return state.groups.setdefault(name, _Group())

    @contextmanager
    def _locked(self) -> Iterator[_State]:
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            state = _load(os.pread(descriptor, 1 << 20, 0))
            _forget_old(state, clock.monotonic())
            yield state
            text = _dump(state)
            os.pwrite(descriptor, text, 0)
            os.ftruncate(descriptor, len(text))
        finally:
            os.close(descriptor)


def shared_directory() -> Path:
    """Return the per-user directory of the shared budgets."""
    return Path(tempfile.gettempdir()) / f"appliance-requests-{os.getuid()}"


def _forget_old(state: _State, now: float) -> None:
    for budget in state.groups.values():
        budget.slots = {
            key: [start, end]
            for key, (start, end) in budget.slots.items()
            if start is not None and _still_counts(start, end, now)
        }
        if budget.hold_until > now + 600:  # written before a reboot
            budget.hold_until = 0.0
    if state.blocked_until > now + 86_400:
        state.blocked_until = 0.0


def _still_counts(start: float, end: float | None, now: float) -> bool:
    if start > now:  # written before a reboot
        return False
    if end is None:
        return now - start < _FORGOTTEN_AFTER_SECONDS
    return now - end < WINDOW_SECONDS + _MARGIN_SECONDS


def _load(text: bytes) -> _State:
    try:
        document: dict[str, Any] = json.loads(text)
        groups = {
            name: _Group(slots=dict(group["slots"]), hold_until=float(group["hold_until"]))
            for name, group in document["groups"].items()
        }
        return _State(groups=groups, blocked_until=float(document["blocked_until"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return _State()


def _dump(state: _State) -> bytes:
    groups = {
        name: {"slots": group.slots, "hold_until": group.hold_until}
        for name, group in state.groups.items()
    }
    return json.dumps({"groups": groups, "blocked_until": state.blocked_until}).encode()
