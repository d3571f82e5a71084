"""One market's candles at a simulated instant (`now`, ms since 1970): closed, forming, and in pages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from appliance.simulator.caches import PageCaches
from appliance.simulator.columns import Columns, aggregate, concatenate, empty
from appliance.simulator.daily import DailyTable
from appliance.simulator.market import Market
from appliance.simulator.render import Rows, render
from appliance.simulator.windows import (
    DAY,
    MINUTES_PER_DAY,
    MS_PER_MINUTE,
    SECOND,
    earlier,
    step_ms,
    window_at,
)

SECONDS_SERVED = 90 * 86_400
"""One-second candles older than this (three months) are not served."""
_SECONDS_PER_HOUR = 3600

View = Callable[[Columns], Columns]
"""What a quirk makes of candles in ascending order."""


@dataclass(frozen=True, slots=True)
class Page:
    """JSON rows, newest first, each followed by a comma.

    `key` names the content when it never changes, None otherwise; `is_list` False stands for other JSON.
    """

    pieces: tuple[bytes | memoryview, ...]
    key: object = None
    is_list: bool = True

    def body(self) -> bytes:
        """Return the JSON array, of a page that is no list its text as it is."""
        text = b"".join(self.pieces)
        return b"[" + text[:-1] + b"]" if self.is_list else text


class Book:
    """A market with what it has traded until a given simulated instant."""

    def __init__(self, market: Market, caches: PageCaches | None = None) -> None:
        self.market = market
        self.daily = DailyTable(market)
        self._caches = caches or PageCaches()

    def forming(self, unit: int, now: int) -> Columns:
        """Return the candle that forms at `now`, or none when it has no trade yet."""
        if 0 < unit < self.market.base_unit:
            return empty()
        opens = window_at(unit, now)
        if unit == SECOND:
            return self._seconds_until(now).between(opens, opens + 1)
        if unit <= DAY:
            return aggregate(self._base_until(opens, now), unit)
        today = now // MS_PER_MINUTE // MINUTES_PER_DAY
        traded = self._base_until(today * MINUTES_PER_DAY, now)
        return self.daily.candles(unit, opens // MINUTES_PER_DAY, today, traded)

    def newest(self, unit: int, now: int) -> Columns:
        """Return the newest candle that has a trade, forming or closed; none when there never was."""
        forming = self.forming(unit, now)
        if len(forming):
            return forming
        for closed in self.closed_parts(unit, now):
            if len(closed):
                return closed.rows(slice(-1, None))
        return empty()

    def candle_at(self, unit: int, opens: int) -> Columns:
        """Return the whole candle that opens at a time, or none when it has no trade."""
        return self._part(opens // _span(unit), unit).between(opens, opens + 1)

    def closed_between(self, unit: int, start: int, end: int, now: int) -> Iterator[Columns]:
        """Yield the candles that open in [start, end) and have closed by `now`, in parts, ascending.

        The truth: what a client must end up with, whatever faults there were. Units up to a day.
        """
        span = _span(unit)
        end = min(end, window_at(unit, now))
        start = max(start, self._first(unit))
        for part in range(start // span, -(-end // span)):
            yield self._part(part, unit).between(start, end)

    def closed_parts(self, unit: int, now: int, end: int | None = None) -> Iterator[Columns]:
        """Yield the candles that had closed by `now` and open before `end`, newest part first.

        Units up to a day.
        """
        window = window_at(unit, now) if end is None else min(end, window_at(unit, now))
        oldest = self._first(unit)
        if unit == SECOND:
            oldest = max(oldest, now // 1000 - SECONDS_SERVED)
        for part in self._parts_before(unit, window, oldest):
            yield self._part(part, unit).between(oldest, window)

    async def page(self, unit: int, to: int | None, count: int, now: int) -> Page:
        """Return up to `count` candles, newest first.

        `to` (milliseconds since 1970) is exclusive and compared with the opening time; None is now,
        and then the first row is the forming candle.
        """
        if unit == SECOND or unit >= DAY:
            return await self.viewed_page(unit, to, count, now, lambda candles: candles)
        end = window_at(unit, now)
        pieces: list[bytes | memoryview] = []
        if to is None or to > end * MS_PER_MINUTE:
            forming = self.forming(unit, now)
            pieces = [render(self.market.code, unit, forming).text] * len(forming)
        else:
            end = -(-to // MS_PER_MINUTE)
        is_final, left = not pieces, count - len(pieces)
        for part in self._parts_before(unit, end, self._first(unit)):
            if left <= 0:
                break
            rows = await self._rows(part, unit)
            pieces.append(rows.newest_before(end, left))
            left -= min(left, rows.count_before(end))
        key = (self.market.code, unit, end, count, self.market.version) if is_final else None
        return Page(tuple(pieces), key)

    async def viewed_page(
        self, unit: int, to: int | None, count: int, now: int, view: View, hidden: int = 0
    ) -> Page:
        """Return a page of what `view` makes of the candles; it may leave out `hidden` of them."""
        candles = await self._latest(unit, to, count + hidden, now)
        shown = view(candles)
        chosen = shown.rows(slice(max(0, len(shown) - count), None))
        before = None
        if unit == DAY and len(chosen):
            before = self.close_before(int(chosen.opens[0]))
        return Page((render(self.market.code, unit, chosen, before).text,))

    def close_before(self, minute: int) -> float | None:
        """Return the last price before a minute, None when there was none."""
        for day in self._parts_before(1, minute, self.market.first_minute):
            candles = self.market.day(day).between(0, minute)
            if len(candles):
                return float(candles.close[-1])
        return None

    async def _latest(self, unit: int, to: int | None, count: int, now: int) -> Columns:
        """Return the last `count` candles that open before `to`, ascending, the forming one included."""
        if unit > DAY or (unit == DAY and self.market.base_unit < DAY):
            return await self._latest_wide(unit, to, count, now)
        end = window_at(unit, now) + 1 if to is None else -(-to // step_ms(unit))
        parts = [self.forming(unit, now).between(0, end)]
        total = len(parts[0])
        for closed in self.closed_parts(unit, now, end):
            parts.insert(0, closed)
            total += len(closed)
            if total >= count:
                break
            await asyncio.sleep(0)
        candles = concatenate(parts)
        return candles.rows(slice(max(0, len(candles) - count), None))

    async def _latest_wide(self, unit: int, to: int | None, count: int, now: int) -> Columns:
        """Return what `_latest` does, for days and wider."""
        last = window_at(unit, now)
        if to is not None:
            last = min(last, window_at(unit, max(to - 1, 0)))
        while True:
            first = max(earlier(unit, last, count), self._first(unit)) // MINUTES_PER_DAY
            today = now // MS_PER_MINUTE // MINUTES_PER_DAY
            end = min(today, earlier(unit, last, -1) // MINUTES_PER_DAY)
            await self.daily.fill(first, end)
            forming = self._base_until(today * MINUTES_PER_DAY, now) if end == today else empty()
            candles = self.daily.candles(unit, first, end, forming).between(0, last + 1)
            if len(candles) >= count or first <= self._first(DAY) // MINUTES_PER_DAY:
                return candles.rows(slice(max(0, len(candles) - count), None))
            count += count

    def _first(self, unit: int) -> int:
        return self.market.first_minute * MS_PER_MINUTE // step_ms(unit)

    def _base_until(self, start: int, now: int) -> Columns:
        """Return the finest minute candles from minute `start` on, the forming one included."""
        base = self.market.base_unit
        minute = now // MS_PER_MINUTE
        step = minute // base * base
        closed = self.market.day(minute // MINUTES_PER_DAY).between(start, step)
        return concatenate([closed, self.market.ticks(step).until(now).as_candle(step)])

    def _seconds_until(self, now: int) -> Columns:
        if self.market.base_unit != 1:
            return empty()
        minute = now // MS_PER_MINUTE
        if len(self.market.seconds(minute // 60)) == 0:
            return empty()
        return self.market.ticks(minute).until(now).by_second()

    def _parts_before(self, unit: int, opens: int, oldest: int) -> range:
        span = _span(unit)
        return range((opens - 1) // span, oldest // span - 1, -1)

    def _part(self, part: int, unit: int) -> Columns:
        if 0 < unit < self.market.base_unit:
            return empty()
        if unit == SECOND:
            return self._wider(part, unit, lambda: self.market.seconds(part))
        if unit == self.market.base_unit:
            return self.market.day(part)
        return self._wider(part, unit, lambda: aggregate(self.market.day(part), unit))

    def _wider(self, part: int, unit: int, make: Callable[[], Columns]) -> Columns:
        return self._caches.wider.get_or((*self._name, unit, part), make)

    async def _rows(self, part: int, unit: int) -> Rows:
        key = (*self._name, unit, part)
        if self._caches.rows.peek(key) is None and not self.market.is_cached(part):
            await asyncio.sleep(0)  # a page may need a month of days; others take their turn
        return self._caches.rows.get_or(
            key, lambda: render(self.market.code, unit, self._part(part, unit))
        )

    @property
    def _name(self) -> tuple[str, int]:
        return self.market.code, self.market.version


def _span(unit: int) -> int:
    """Return how many steps of its opening time a part of a unit's candles covers."""
    return _SECONDS_PER_HOUR if unit == SECOND else MINUTES_PER_DAY
