"""Where a fact of the wall clock belongs on an axis of market time; pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta

from store.market_time import Witness

_LIKE = 0.1
"""How far two speeds of the market may be apart and count as one."""


def market_instant(witnesses: Sequence[Witness], at: datetime, step: timedelta) -> datetime | None:
    """Return the market's time at the wall's `at`, None where it cannot be known.

    Between two witnesses no farther apart than two steps, or between which the market ran at the speed that
    it had until then, it lies in proportion. Behind the last one it goes on at that speed, for two steps.
    """
    place = bisect_right(witnesses, at, key=lambda witness: witness.wall_at)
    if place == 0:
        return None
    before = witnesses[place - 1]
    if place == len(witnesses):
        speed = _speed(witnesses[0], before)
        ahead = (at - before.wall_at) * speed if speed is not None else None
        return before.market_at + ahead if ahead is not None and ahead <= 2 * step else None
    after = witnesses[place]
    speed = _speed(before, after)
    is_near = after.market_at - before.market_at <= 2 * step
    if speed is None or not (is_near or _is_like(speed, _speed(witnesses[0], before))):
        return None
    return before.market_at + (at - before.wall_at) * speed


def _speed(first: Witness, last: Witness) -> float | None:
    """Return how fast the market's time passed between two witnesses; None for one and the same."""
    wall = last.wall_at - first.wall_at
    return (last.market_at - first.market_at) / wall if wall else None


def _is_like(speed: float, other: float | None) -> bool:
    return other is not None and abs(speed - other) <= _LIKE * other
