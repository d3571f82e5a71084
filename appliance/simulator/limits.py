"""Upbit's request limits: per second, IP and group; who keeps exceeding them is blocked."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from appliance import clock

PER_SECOND = 10
ORIGIN_WINDOW_SECONDS = 10
_STRIKES = 15  # replies with 429 within the strike window that lead to a block
_STRIKE_WINDOW_SECONDS = 5.0
_FIRST_BLOCK_SECONDS = 10.0
_LONGEST_BLOCK_SECONDS = 600.0


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
            return Verdict(200, PER_SECOND - 1)
        now = clock.monotonic()
        client = self._clients.setdefault(address, _Client())
        if client.blocked_until > now:
            return Verdict(418, 0, client.blocked_until - now)
        allowed, width = (1, ORIGIN_WINDOW_SECONDS) if group == "origin" else (PER_SECOND, 1)
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
