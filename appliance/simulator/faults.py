"""Faults and quirks: what a real exchange does on a bad day, and which of it happens now."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from heapq import merge

from appliance.simulator.simulated_time import to_iso

_COMING_SHOWN = 20
_FOREVER = 1 << 62


class FaultKind(StrEnum):
    """What goes wrong."""

    TOO_MANY = "429"
    BLOCKED = "418"
    SERVER_ERROR = "500"
    BAD_GATEWAY = "502"
    MAINTENANCE = "503"
    HTML = "html"  # an HTML page with status 200
    ERROR_200 = "error200"  # an error body with status 200
    TRUNCATED = "truncated"  # half of the JSON in a whole reply
    TIMEOUT = "timeout"  # no reply within a client's patience
    RESET = "reset"  # the connection is reset instead of a reply
    CLOSED = "closed"  # the connection ends in the middle of the reply
    LATENCY = "latency"  # every reply takes longer
    SKEW = "skew"  # the Date header is off
    OUTAGE = "outage"  # every connection is dropped, REST and WebSocket
    DROP = "drop"  # every socket is dropped once, without a close frame
    SILENT = "silent"  # sockets stay open and say nothing
    LATE = "late"  # REST lists a closed candle only some time after its close
    ABSENT = "absent"  # REST leaves the newest candles out
    CORRECTED = "corrected"  # REST shows a just closed candle wrong at first
    REPEATED = "repeated"  # sockets send the same and the previous candle again
    UNORDERED = "unordered"  # sockets send a newer state before an older one


REPLY_KINDS = frozenset(
    {
        FaultKind.TOO_MANY, FaultKind.BLOCKED, FaultKind.SERVER_ERROR, FaultKind.BAD_GATEWAY,
        FaultKind.MAINTENANCE, FaultKind.HTML, FaultKind.ERROR_200, FaultKind.TRUNCATED,
        FaultKind.TIMEOUT, FaultKind.RESET, FaultKind.CLOSED,
    }
)  # fmt: skip
"""Kinds that replace a reply of `/v1`; of these at most one concerns a reply."""
COUNTED_KINDS = REPLY_KINDS | {FaultKind.LATENCY, FaultKind.ABSENT}
"""Kinds that may last for a number of replies instead of a time."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One fault at one time.

    Args:
        kind: what happens.
        start: simulated milliseconds since 1970.
        end: exclusive; None when only `count` ends it.
        count: replies it concerns; None without a limit.
        parameters: values such as `latency_ms`, complete.
    """

    kind: FaultKind
    start: int
    end: int | None = None
    count: int | None = None
    parameters: Mapping[str, float] = field(default_factory=dict)

    def __lt__(self, other: Occurrence) -> bool:
        return self.start < other.start

    @property
    def tail(self) -> int:
        """Milliseconds after `end` for which candles that closed before it are still affected."""
        return int(self.parameters.get("late_seconds", 0) * 1000)

    def to_json(self) -> dict[str, object]:
        """Return the fields for `GET /sim`; times are ISO."""
        end = None if self.end is None else to_iso(self.end)
        shown = {"kind": self.kind.value, "start": to_iso(self.start), "end": end}
        return {**shown, "count": self.count, **self.parameters}


@dataclass(slots=True)
class _Running:
    occurrence: Occurrence
    left: int

    def is_over(self, now: int) -> bool:
        end = self.occurrence.end
        return self.left <= 0 or (end is not None and now >= end)


class FaultPlan:
    """Which faults are active at a simulated instant (`now`, ms since 1970), and how often each fired.

    Calls must not go back in time.

    Args:
        scripted: occurrences in order of start; may be endless.
        now: what was over before is left out, as is what waits for replies since before.
    """

    def __init__(self, scripted: Iterable[Occurrence] = (), now: int = 0) -> None:
        self._scripted: Iterator[Occurrence] = iter(scripted)
        self._ahead: list[Occurrence] = []
        self._posted: list[Occurrence] = []
        self._running: list[_Running] = []
        self._past: list[Occurrence] = []
        self._begun: list[Occurrence] = []
        self._next_change = 0
        self.started: Counter[FaultKind] = Counter()
        self.fired: Counter[FaultKind] = Counter()
        self._look_ahead()
        while self._ahead and self._ahead[0].start < now:
            missed = self._ahead.pop(0)
            if missed.end is not None and missed.end + missed.tail > now:
                self._begin(missed)
            self._look_ahead()

    def add(self, occurrence: Occurrence) -> None:
        """Let a fault happen at its start, which may be past."""
        insort(self._posted, occurrence)
        self._next_change = 0

    def take_begun(self, now: int) -> list[Occurrence]:
        """Return the faults that began since the last call."""
        self._active(now)
        begun, self._begun = self._begun, []
        return begun

    def take_reply(self, now: int) -> Occurrence | None:
        """Return and use up the fault of the next REST reply, None for a good one.

        A fault with a count goes before one with an end, so that a long one does not hide it.
        """
        active = [one for one in self._active(now) if one.occurrence.kind in REPLY_KINDS]
        if not active:
            return None
        return self._use(min(active, key=lambda one: one.occurrence.count is None))

    def take(self, kind: FaultKind, now: int) -> Occurrence | None:
        """Return and use up a fault of a kind, None when there is none."""
        for one in self._active(now):
            if one.occurrence.kind is kind:
                return self._use(one)
        return None

    def is_active(self, kind: FaultKind, now: int) -> bool:
        """Whether a kind is active."""
        return any(one.occurrence.kind is kind for one in self._active(now))

    def parameter(self, kind: FaultKind, name: str, now: int) -> float:
        """Return a parameter of an active kind, 0 when it is not active."""
        for one in self._active(now):
            if one.occurrence.kind is kind:
                return one.occurrence.parameters[name]
        return 0.0

    def affecting(self, kind: FaultKind, now: int) -> list[Occurrence]:
        """Return the faults of a kind that are active, or over but still with an effect on candles."""
        active = [one.occurrence for one in self._active(now) if one.occurrence.kind is kind]
        return active + [past for past in self._past if past.kind is kind]

    def note(self, kind: FaultKind, count: int = 1) -> None:
        """Count that a fault has concerned a client."""
        self.fired[kind] += count

    def next_change(self, now: int) -> int:
        """Return when the next fault starts or ends, in ms since 1970; far away when none does."""
        self._active(now)
        return self._next_change

    def describe(self, now: int) -> dict[str, object]:
        """Return what is active, the next that come, and counts per kind (0 included)."""
        active = [one.occurrence.to_json() | {"left": _left(one)} for one in self._active(now)]
        return {
            "active": active,
            "coming": [one.to_json() for one in merge(self._ahead, self._posted)],
            "started": {kind.value: self.started[kind] for kind in FaultKind},
            "fired": {kind.value: self.fired[kind] for kind in FaultKind},
        }

    def _use(self, one: _Running) -> Occurrence:
        one.left -= 1
        if one.left <= 0:
            self._next_change = 0
        self.fired[one.occurrence.kind] += 1
        return one.occurrence

    def _active(self, now: int) -> list[_Running]:
        if now >= self._next_change:
            self._advance(now)
        return self._running

    def _advance(self, now: int) -> None:
        for waiting in (self._ahead, self._posted):
            while waiting and waiting[0].start <= now:
                self._begin(waiting.pop(0))
                self._look_ahead()
        over = [one.occurrence for one in self._running if one.is_over(now)]
        self._running = [one for one in self._running if not one.is_over(now)]
        self._past = [past for past in self._past + over if _fades_at(past) > now]
        edges = [one.occurrence.end or _FOREVER for one in self._running]
        edges += [_fades_at(past) for past in self._past]
        edges += [waiting[0].start for waiting in (self._ahead, self._posted) if waiting]
        self._next_change = min(edges, default=_FOREVER)

    def _begin(self, occurrence: Occurrence) -> None:
        self.started[occurrence.kind] += 1
        self._begun.append(occurrence)
        left = _FOREVER if occurrence.count is None else occurrence.count
        self._running.append(_Running(occurrence, left))

    def _look_ahead(self) -> None:
        while len(self._ahead) < _COMING_SHOWN:
            following = next(self._scripted, None)
            if following is None:
                return
            self._ahead.append(following)


def _fades_at(occurrence: Occurrence) -> int:
    return 0 if occurrence.end is None else occurrence.end + occurrence.tail


def _left(one: _Running) -> int | None:
    return None if one.occurrence.count is None else one.left
