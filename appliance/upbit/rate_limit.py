"""One request budget per exchange host, shared by every process and home of this user.

The exchange counts requests per second, IP and group. Where its seconds begin is unknown, so the rule
here holds for every window: request i + N reaches the exchange no earlier than one second after request
i did. When that was is known only to lie between request and reply. The way there and back together
takes no less than the shortest round trip seen lately, so request i + N may start that much earlier
than one second after the reply to request i:

    arrival(i) <= reply(i) - back,  arrival(i + N) >= start(i + N) + there,  there + back >= shortest

Without it a round trip of 150 ms would cost 13 % of the budget. The state is a small file per host
under an exclusive `flock`; its times are `CLOCK_MONOTONIC`, which all processes of a machine share.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from appliance import clock, zone
from appliance.config.private_folder import make_private
from appliance.errors import ExchangeCode, ExchangeUnavailable

WINDOW_SECONDS = 1.0
_MARGIN_SECONDS = 0.004
_REMEMBERED_SECONDS = 3.0  # ended requests stay on file, to tell ours from those of others
_ROUND_TRIPS = 32  # the shortest of these counts
_FEWEST_ROUND_TRIPS = 4  # before that none is assumed
_TRUSTED_SHARE = 0.98  # of the shortest round trip: the next may be a little shorter
_LONGEST_CREDIT_SECONDS = 0.5
_FORGOTTEN_AFTER_SECONDS = 20.0  # longer than any request may take; frees slots of killed processes
_EXCHANGE_LIMIT = 10
_IN_FLIGHT_POLL_SECONDS = 0.01


@dataclass(slots=True)
class _Group:
    """Slots of one request group: id -> [started, replied or None]; nothing starts before `hold`.

    `round_trips` are the seconds that the newest replies took.
    """

    slots: dict[str, list[float | None]] = field(default_factory=dict)
    hold_until: float = 0.0
    round_trips: list[float] = field(default_factory=list)

    def frees_at(self, end: float) -> float:
        """Return when a request whose reply came at `end` stops counting."""
        return end + WINDOW_SECONDS + _MARGIN_SECONDS - self._credit()

    def active(self, now: float) -> int:
        """Return how many requests count at the moment."""
        return sum(end is None or self.frees_at(end) > now for _, end in self.slots.values())

    def ours_since(self, started: float) -> int:
        """Return how many requests may share a window with one that started then."""
        return sum(
            end is None or end > started - WINDOW_SECONDS - _MARGIN_SECONDS
            for _, end in self.slots.values()
        )

    def _credit(self) -> float:
        if len(self.round_trips) < _FEWEST_ROUND_TRIPS:
            return 0.0
        return min(min(self.round_trips) * _TRUSTED_SHARE, _LONGEST_CREDIT_SECONDS)


@dataclass(slots=True)
class _State:
    groups: dict[str, _Group] = field(default_factory=dict)
    blocked_until: float = 0.0


class Slot:
    """Permission for one request; told what came back, it tells the limit when the request ends."""

    def __init__(self, started: float) -> None:
        self.started = started
        self.replied: float | None = None
        self.remaining: int | None = None

    def reply(self) -> None:
        """Note that the reply's head has arrived: the exchange has counted the request by now."""
        self.replied = clock.monotonic()

    def observe(self, remaining: int | None) -> None:
        """Take in `sec` of the reply's `Remaining-Req` header."""
        self.replied = self.replied or clock.monotonic()
        self.remaining = remaining


class HostRateLimit:
    """Budget of requests to one host, in requests per second and group.

    Args:
        directory: where the shared state lives; see `shared_directory`.
        per_second: ceiling for all processes together, at most the exchange's own 10.
        host: `name:port` of the server, which names the state file.
    """

    def __init__(self, directory: Path, per_second: int, host: str = "default") -> None:
        make_private(directory)
        name = "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in host)
        self._file = directory / f"{name}.json"
        self._per_second = per_second
        self._bulk_turn = threading.Lock()

    @contextmanager
    def acquire(self, group: str, *, is_bulk: bool = False) -> Iterator[Slot]:
        """Wait for a slot, hold it while the request runs, free it when it cannot count any more.

        Of the bulk requests of a process only one at a time waits, so that any number of them
        competes with a live request as one.

        Raises:
            ExchangeUnavailable: the exchange has blocked this host; says until when.
        """
        key = secrets.token_hex(6)
        with self._bulk_turn if is_bulk else nullcontext():
            while (wait := self._try_start(group, key)) > 0:
                time.sleep(wait)
        slot = Slot(clock.monotonic())
        try:
            yield slot
        finally:
            self._finish(group, key, slot)

    def _finish(self, group: str, key: str, slot: Slot) -> None:
        # Without a reply the request may be under way still, as long as a way back would have taken.
        ended = slot.replied or clock.monotonic() + _LONGEST_CREDIT_SECONDS
        with self._locked() as state:
            budget = self._group(state, group)
            budget.slots[key] = [slot.started, ended]
            if slot.replied is not None:
                budget.round_trips = [*budget.round_trips, ended - slot.started][-_ROUND_TRIPS:]
            if slot.remaining is not None:
                self._notice_others(budget, slot.started, slot.remaining)

    def _notice_others(self, budget: _Group, started: float, remaining: int) -> None:
        """Hold the group for a second when others on this IP use up the exchange's budget."""
        foreign = _EXCHANGE_LIMIT - remaining - budget.ours_since(started)
        if foreign > 0 and remaining <= max(foreign, 1):
            budget.hold_until = max(budget.hold_until, clock.monotonic() + WINDOW_SECONDS)

    def hold(self, group: str, seconds: float) -> None:
        """Let no process start a request of this group for some seconds (after a 429)."""
        with self._locked() as state:
            budget = self._group(state, group)
            budget.hold_until = max(budget.hold_until, clock.monotonic() + seconds)

    def block(self, seconds: float) -> None:
        """Let no process start any request to this host for some seconds (after a 418)."""
        with self._locked() as state:
            state.blocked_until = max(state.blocked_until, clock.monotonic() + seconds)

    def blocked_error(self, seconds: float) -> ExchangeUnavailable:
        """Return the error that says until when the exchange blocks this host."""
        until_at = clock.now() + timedelta(seconds=seconds)
        return ExchangeUnavailable(
            f"the market server has blocked this host until {zone.utc_text(until_at, seconds=True)} "
            "after too many requests (418)",
            code=ExchangeCode.BLOCKED,
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
            if budget.active(now) < self._per_second:
                budget.slots[key] = [now, None]
                return 0.0
            return self._seconds_to_free(budget, now)

    def _seconds_to_free(self, budget: _Group, now: float) -> float:
        frees = [budget.frees_at(end) for _, end in budget.slots.values() if end is not None]
        pending = sorted(at for at in frees if at > now)
        excess = budget.active(now) - self._per_second
        if len(pending) <= excess:
            return _IN_FLIGHT_POLL_SECONDS
        return max(pending[excess] - now, 0.001)

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
    """Return the per-user directory of the shared budgets, the same for every shell."""
    return Path("/tmp") / f"appliance-requests-{os.getuid()}"  # noqa: S108


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
    return now - end < _REMEMBERED_SECONDS


def _load(text: bytes) -> _State:
    try:
        document: dict[str, Any] = json.loads(text)
        groups = {
            name: _Group(
                slots={
                    str(key): [float(start), None if end is None else float(end)]
                    for key, (start, end) in group["slots"].items()
                },
                hold_until=float(group["hold_until"]),
                round_trips=[float(each) for each in group.get("round_trips", ())],
            )
            for name, group in document["groups"].items()
        }
        return _State(groups=groups, blocked_until=float(document["blocked_until"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _State()


def _dump(state: _State) -> bytes:
    groups = {
        name: {
            "slots": group.slots,
            "hold_until": group.hold_until,
            "round_trips": group.round_trips,
        }
        for name, group in state.groups.items()
    }
    return json.dumps({"groups": groups, "blocked_until": state.blocked_until}).encode()
