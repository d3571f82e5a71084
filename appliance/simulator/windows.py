"""Candle windows: which interval an instant lies in, from one second to a calendar year.

A unit is a number of minutes up to `DAY`; the others stand for themselves. Opening times are minutes
since 1970, for one-second candles seconds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
MS_PER_SECOND = 1000
MS_PER_MINUTE = 60_000
MINUTES_PER_DAY = 1440
SECOND = -1
DAY = MINUTES_PER_DAY
WEEK = 7 * DAY
MONTH = 30 * DAY
YEAR = 365 * DAY
_MONDAY = 3  # 1970-01-01 was a Thursday


def step_ms(unit: int) -> int:
    """Return the milliseconds that one step of a unit's opening time stands for."""
    return MS_PER_SECOND if unit == SECOND else MS_PER_MINUTE


def floors(unit: int, opens: Integers) -> Integers:
    """Return the opening times of the windows that hold some opening times."""
    if unit == SECOND:
        return opens
    if unit <= DAY:
        return opens // unit * unit
    days = opens // MINUTES_PER_DAY
    if unit == WEEK:
        return ((days + _MONDAY) // 7 * 7 - _MONDAY) * MINUTES_PER_DAY
    period = "datetime64[M]" if unit == MONTH else "datetime64[Y]"
    starts = days.astype("datetime64[D]").astype(period).astype("datetime64[D]")
    return np.asarray(starts.astype(np.int64) * MINUTES_PER_DAY)


def window_at(unit: int, now: int) -> int:
    """Return the opening time of the window that forms at `now`, ms since 1970."""
    return int(floors(unit, np.array([now // step_ms(unit)]))[0])


def ends(unit: int, opens: Integers) -> Integers:
    """Return the ends (exclusive) of windows as ms since 1970."""
    if unit <= DAY:
        return (opens + max(unit, 1)) * step_ms(unit)
    longest = {WEEK: 7, MONTH: 31, YEAR: 366}[unit] * MINUTES_PER_DAY
    return floors(unit, opens + longest) * MS_PER_MINUTE


def earlier(unit: int, opens: int, count: int) -> int:
    """Return the opening time of the window `count` windows before another, for units from a day on."""
    if unit in (DAY, WEEK):
        return opens - count * unit
    period = "datetime64[M]" if unit == MONTH else "datetime64[Y]"
    start = np.array([opens // MINUTES_PER_DAY]).astype("datetime64[D]").astype(period) - count
    return int(start.astype("datetime64[D]").astype(np.int64)[0]) * MINUTES_PER_DAY
