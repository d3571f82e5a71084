"""Upbit's request limits: per second, IP and group; who keeps exceeding them is blocked."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from appliance import clock

PER_SECOND = 10
WEBSOCKET = "websocket"
"""Group of connections to the stream."""
ORIGIN = "origin"
"""Group of everything that is sent with an `Origin` header."""
_STRIKES = 15  # replies with 429 within the strike window that lead to a block
_STRIKE_WINDOW_SECONDS = 5.0
_FIRST_BLOCK_SECONDS = 10.0
_LONGEST_BLOCK_SECONDS = 600.0
_BUDGETS = {
    ORIGIN: (1, 10),
    WEBSOCKET: (5, 1),
}  # requests in so many seconds; others PER_SECOND in 1
_PER_MINUTE = {
    ORIGIN: 6,
    WEBSOCKET: 300,
}  # constants that Upbit sends and nothing obeys; others 600
_MESSAGE_BUDGETS = ((5, 1.0), (100, 60.0))


@dataclass(frozen=True, slots=True)
class Verdict:
    """`status` 200, 429 or 418; `remaining` requests in this window; the block's rest in seconds."""

    status: int
    remaining: int
    blocked_seconds: float = 0.0


@dataclass(slots=True)
class _Client:
    windows: dict[str, tuple[int, int]] = field(default_factory=dict)
    strikes: deque[float] = field(default_factory=deque)
    blocked_until: float = 0.0
    next_block: float = _FIRST_BLOCK_SECONDS


class RequestLimits:
    """Counts the requests of every client address.

    Args:
        is_enforced: False lets everything pass and still reports a remaining count.
    """

    def __init__(self, is_enforced: bool = True) -> None:
        self._is_enforced = is_enforced
        self._clients: dict[str, _Client] = {}
        self.taken = 0
        self.refused = 0

    def take(self, address: str, group: str) -> Verdict:
        """Count one request and say whether it passes."""
        verdict = self._verdict(address, group)
        self.taken += 1
        self.refused += verdict.status != 200
        return verdict

    def _verdict(self, address: str, group: str) -> Verdict:
        if not self._is_enforced:
            return Verdict(200, _BUDGETS.get(group, (PER_SECOND, 1))[0] - 1)
        now = clock.monotonic()
        client = self._clients.setdefault(address, _Client())
        if client.blocked_until > now:
            return Verdict(418, 0, client.blocked_until - now)
        allowed, width = _BUDGETS.get(group, (PER_SECOND, 1))
        window, used = client.windows.get(group, (0, 0))
        current = int(now // width)
        used = used + 1 if window == current else 1
        client.windows[group] = (current, used)
        if used <= allowed:
            return Verdict(200, allowed - used)
        return self._strike(client, now)

    def _strike(self, client: _Client, now: float) -> Verdict:
        client.strikes.append(now)
        while client.strikes[0] < now - _STRIKE_WINDOW_SECONDS:
            client.strikes.popleft()
        if len(client.strikes) < _STRIKES:
            return Verdict(429, 0)
        client.strikes.clear()
        client.blocked_until = now + client.next_block
        block, client.next_block = (
            client.next_block,
            min(client.next_block * 2, _LONGEST_BLOCK_SECONDS),
        )
        return Verdict(418, 0, block)


class MessageLimit:
    """Counts what one stream connection sends: 5 messages a second, 100 a minute."""

    def __init__(self, is_enforced: bool = True) -> None:
        self._is_enforced = is_enforced
        self._sent: deque[float] = deque(maxlen=max(most for most, _ in _MESSAGE_BUDGETS))

    def take(self) -> bool:
        """Count one message and say whether it passes."""
        now = clock.monotonic()
        passes = all(
            len(self._sent) < most or self._sent[-most] <= now - seconds
            for most, seconds in _MESSAGE_BUDGETS
        )
        self._sent.append(now)
        return passes or not self._is_enforced


def remaining_req(group: str, verdict: Verdict) -> bytes:
    """Return the value of the `Remaining-Req` header."""
    return f"group={group}; min={_PER_MINUTE.get(group, 600)}; sec={verdict.remaining}".encode()
