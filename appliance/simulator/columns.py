"""Candles as columns, and their exact aggregation to wider timeframes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from appliance.simulator.windows import MS_PER_SECOND, Integers, floors

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Columns:
    """Candles in ascending order, one array element each.

    `opens` is the opening time in minutes since 1970 (in seconds for one-second candles); `stamp` the
    last trade in milliseconds; prices and `value` are in the quote currency, `volume` in the base
    currency.
    """

    opens: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    value: Floats
    stamp: Integers

    def __len__(self) -> int:
        return len(self.opens)

    def between(self, start: int, end: int) -> Columns:
        """Return the candles that open in [start, end), given as `opens` is."""
        first, last = np.searchsorted(self.opens, (start, end))
        return self.rows(slice(int(first), int(last)))

    def rows(self, selection: slice | NDArray[np.bool_]) -> Columns:
        """Return some of the candles."""
        return self.mapped(lambda array: array[selection])

    def mapped(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Columns:
        """Return candles whose every column went through `change`."""
        return Columns(*(change(array) for array in self.arrays()))

    @property
    def bytes(self) -> int:
        """Memory that the columns take; at least 200, so that empty ones count."""
        return 200 + sum(array.nbytes for array in self.arrays())

    def arrays(self) -> tuple[NDArray[Any], ...]:
        """Return all columns in declaration order."""
        return (
            self.opens,
            self.open,
            self.high,
            self.low,
            self.close,
            self.volume,
            self.value,
            self.stamp,
        )


def empty() -> Columns:
    """Return no candles."""
    none = np.empty(0)
    return Columns(none.astype(np.int64), none, none, none, none, none, none, none.astype(np.int64))


def concatenate(parts: list[Columns]) -> Columns:
    """Join candles that follow each other."""
    if not parts:
        return empty()
    if len(parts) == 1:
        return parts[0]
    columns = zip(*(part.arrays() for part in parts), strict=True)
    return Columns(*(np.concatenate(arrays) for arrays in columns))


def aggregate(candles: Columns, unit: int) -> Columns:
    """Merge minute candles into wider ones: first open, extremes, last close, summed volume."""
    if len(candles) == 0:
        return candles
    windows = floors(unit, candles.opens)
    first = np.flatnonzero(np.r_[True, windows[1:] != windows[:-1]])
    last = np.r_[first[1:], len(windows)] - 1
    return Columns(
        opens=windows[first],
        open=candles.open[first],
        high=np.maximum.reduceat(candles.high, first),
        low=np.minimum.reduceat(candles.low, first),
        close=candles.close[last],
        volume=_rounded(np.add.reduceat(candles.volume, first)),
        value=_rounded(np.add.reduceat(candles.value, first)),
        stamp=candles.stamp[last],
    )


def running_sum(amounts: Floats) -> Floats:
    """Return sums along the last axis, added in order of time.

    A forming candle must end bit for bit as the closed one, so that both add in the same order.
    """
    return np.cumsum(amounts, axis=-1)


def _rounded(amounts: NDArray[Any]) -> Floats:
    """Return amounts to the 8 decimals that the exchange shows."""
    return np.asarray(np.round(amounts, 8), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Ticks:
    """The trades of one step (a minute, or a replayed candle) in order of time.

    `at` is in milliseconds since 1970.
    """

    at: Integers
    price: Floats
    volume: Floats

    def until(self, now: int) -> Ticks:
        """Return the trades up to and including `now`, milliseconds since 1970."""
        count = int(np.searchsorted(self.at, now, side="right"))
        return Ticks(self.at[:count], self.price[:count], self.volume[:count])

    def as_candle(self, opens: int) -> Columns:
        """Return the one candle these trades form, or none when there are none."""
        if len(self.at) == 0:
            return empty()
        price, volume = self.price, self.volume
        return Columns(
            opens=np.array([opens]),
            open=price[:1],
            high=price.max(keepdims=True),
            low=price.min(keepdims=True),
            close=price[-1:],
            volume=_rounded(running_sum(volume)[-1:]),
            value=_rounded(running_sum(values(price, volume))[-1:]),
            stamp=self.at[-1:],
        )

    def by_second(self) -> Columns:
        """Return the one-second candles these trades form."""
        if len(self.at) == 0:
            return empty()
        seconds = self.at // MS_PER_SECOND
        first = np.flatnonzero(np.r_[True, seconds[1:] != seconds[:-1]])
        last = np.r_[first[1:], len(seconds)] - 1
        return Columns(
            opens=seconds[first],
            open=self.price[first],
            high=np.maximum.reduceat(self.price, first),
            low=np.minimum.reduceat(self.price, first),
            close=self.price[last],
            volume=_rounded(np.add.reduceat(self.volume, first)),
            value=_rounded(np.add.reduceat(values(self.price, self.volume), first)),
            stamp=self.at[last],
        )


def values(price: Floats, volume: Floats) -> Floats:
    """Return the traded value of each trade, to 8 decimals so that candles of any width agree."""
    return _rounded(price * volume)
