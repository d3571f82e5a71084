"""A market's closed days as candles, kept for good: days, weeks, months and years are made of them."""

from __future__ import annotations

import asyncio

import numpy as np

from appliance.simulator.columns import Columns, aggregate, concatenate, empty
from appliance.simulator.market import Market
from appliance.simulator.windows import DAY, MINUTES_PER_DAY

_COLUMNS = 8
_GROWTH = 512


class DailyTable:
    """One candle per closed UTC day, computed when first needed; 64 bytes a day.

    A closed day never changes, whatever shifts come later.
    """

    def __init__(self, market: Market) -> None:
        self._market = market
        self._first_day = market.first_minute // MINUTES_PER_DAY
        self._is_known = np.zeros(0, np.bool_)
        self._values = np.empty((0, _COLUMNS))

    async def fill(self, start: int, end: int) -> None:
        """Compute the days [start, end), since 1970, letting others take their turn between them."""
        for day in range(max(start, self._first_day), end):
            if not self._knows(day):
                self._put(day)
                await asyncio.sleep(0)

    def between(self, start: int, end: int) -> Columns:
        """Return the candles of the days [start, end), since 1970."""
        first = max(start, self._first_day)
        for day in range(first, end):
            if not self._knows(day):
                self._put(day)
        part = self._values[first - self._first_day : max(first, end) - self._first_day]
        part = part[~np.isnan(part[:, 1])]
        if len(part) == 0:
            return empty()
        columns = [np.ascontiguousarray(column) for column in part.T]
        columns[0] = columns[0].astype(np.int64)
        columns[-1] = columns[-1].astype(np.int64)
        return Columns(*columns)

    def candles(self, unit: int, start: int, end: int, forming: Columns) -> Columns:
        """Return wider candles of the days [start, end) and what has traded since."""
        return aggregate(concatenate([self.between(start, end), aggregate(forming, DAY)]), unit)

    def _knows(self, day: int) -> bool:
        index = day - self._first_day
        return index < len(self._is_known) and bool(self._is_known[index])

    def _put(self, day: int) -> None:
        index = day - self._first_day
        if index >= len(self._is_known):
            more = index + _GROWTH - len(self._is_known)
            self._is_known = np.r_[self._is_known, np.zeros(more, np.bool_)]
            self._values = np.r_[self._values, np.full((more, _COLUMNS), np.nan)]
        candle = aggregate(self._market.day(day), DAY)
        if len(candle):
            self._values[index] = [column[0] for column in candle.arrays()]
        self._is_known[index] = True
