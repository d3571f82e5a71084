"""One market's candles at a simulated instant: closed ones, the forming one, pages of JSON rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from appliance.simulator.columns import (
    MINUTES_PER_DAY,
    MS_PER_MINUTE,
    Columns,
    Integers,
    Ticks,
    aggregate,
    concatenate,
    empty,
)
from appliance.simulator.lru import LruCache
from appliance.simulator.render import day_rows, minute_rows

DAY_UNIT = MINUTES_PER_DAY
_CACHED_ROWS = 60_000  # about 25 MB of JSON per market in use


class Market(Protocol):
    """A source of candles: synthetic or recorded."""

    code: str
    base_unit: int
    first_minute: int

    def day(self, day: int) -> Columns:
        """Return every candle of a UTC day, whether or not it has closed."""

    def ticks(self, step: int) -> Ticks:
        """Return every trade of the candle that opens at minute `step`."""

    def yearly_range(self, day: int) -> tuple[tuple[int, float], tuple[int, float]]:
        """Return (day, price) of the year's low and high."""


@dataclass(frozen=True, slots=True)
class _RenderedDay:
    opens: Integers
    rows: list[bytes]


class Book:
    """A market with what it has traded until a given simulated instant (`now`, ms since 1970)."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self._rendered: LruCache[tuple[int, int], _RenderedDay] = LruCache(
            _CACHED_ROWS, lambda day: len(day.rows)
        )
        self._aggregated: LruCache[tuple[int, int], Columns] = LruCache(4096)

    def forget(self) -> None:
        """Drop everything rendered, after the market itself has changed."""
        self._rendered.clear()
        self._aggregated.clear()

    def forming(self, unit: int, now: int) -> Columns:
        """Return the candle that forms at `now`, or none when it has no trade yet."""
        base = self.market.base_unit
        if unit < base:
            return empty()
        minute = now // MS_PER_MINUTE
        window, step = minute // unit * unit, minute // base * base
        closed = self.market.day(minute // MINUTES_PER_DAY).between(window, step)
        current = self.market.ticks(step).until(now).as_candle(step)
        return aggregate(concatenate([closed, current]), unit)

    def newest(self, unit: int, now: int) -> Columns:
        """Return the newest candle that has a trade, forming or closed; none when there never was."""
        forming = self.forming(unit, now)
        if len(forming):
            return forming
        for closed in self.closed_days(unit, now):
            if len(closed):
                return closed.rows(slice(-1, None))
        return empty()

    def candle_at(self, unit: int, opens: int) -> Columns:
        """Return the whole candle that opens at a minute, or none when it has no trade."""
        return self._day(opens // MINUTES_PER_DAY, unit).between(opens, opens + 1)

    def closed_days(self, unit: int, now: int) -> Iterator[Columns]:
        """Yield each day's candles that had closed by `now`, newest day first."""
        window = now // MS_PER_MINUTE // unit * unit
        for day in self._days_before(window):
            candles = self._day(day, unit)
            yield candles.between(0, window) if (day + 1) * MINUTES_PER_DAY > window else candles

    def page(self, unit: int, to: int | None, count: int, now: int) -> list[bytes]:
        """Return up to `count` candles as JSON, newest first.

        `to` (milliseconds since 1970) is exclusive and compared with the opening time; None is now,
        and then the first row is the forming candle.
        """
        window = now // MS_PER_MINUTE // unit * unit
        end = window
        rows: list[bytes] = []
        if to is None or to > window * MS_PER_MINUTE:
            rows += self._render(self.forming(unit, now), unit)
        else:
            end = -(-to // MS_PER_MINUTE)
        for day in self._days_before(end):
            if len(rows) >= count:
                break
            rendered = self._rendered_day(day, unit)
            last = int(np.searchsorted(rendered.opens, end))
            rows += reversed(rendered.rows[max(0, last - count + len(rows)) : last])
        return rows

    def _days_before(self, minute: int) -> range:
        return range(
            (minute - 1) // MINUTES_PER_DAY, self.market.first_minute // MINUTES_PER_DAY - 1, -1
        )

    def _day(self, day: int, unit: int) -> Columns:
        if unit < self.market.base_unit:
            return empty()
        if unit == self.market.base_unit:
            return self.market.day(day)
        return self._aggregated.get_or((day, unit), lambda: aggregate(self.market.day(day), unit))

    def _rendered_day(self, day: int, unit: int) -> _RenderedDay:
        def make() -> _RenderedDay:
            candles = self._day(day, unit)
            return _RenderedDay(candles.opens, self._render(candles, unit))

        return self._rendered.get_or((day, unit), make)

    def _render(self, candles: Columns, unit: int) -> list[bytes]:
        if len(candles) == 0:
            return []
        if unit == DAY_UNIT:
            return day_rows(self.market.code, candles, self.close_before(int(candles.opens[0])))
        return minute_rows(self.market.code, candles, unit)

    def close_before(self, minute: int) -> float | None:
        """Return the last price before a minute, None when there was none."""
        for day in self._days_before(minute):
            candles = self.market.day(day).between(0, minute)
            if len(candles):
                return float(candles.close[-1])
        return None
