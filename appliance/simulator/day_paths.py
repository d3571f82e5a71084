"""A synthetic day's trades."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.simulator.columns import Floats, Ticks
from appliance.simulator.windows import Integers

MAX_TRADES = 24


@dataclass(frozen=True, slots=True)
class DayPaths:
    """A day's trades as (1440, MAX_TRADES) arrays, of which the first `counts[i]` of a row are real."""

    counts: Integers
    price: Floats
    volume: Floats
    at: Integers

    def is_real(self) -> NDArray[np.bool_]:
        """Return which elements are trades."""
        return np.arange(MAX_TRADES) < self.counts[:, None]

    def ticks(self, first: int, end: int) -> Ticks:
        """Return the trades of the day's minutes [first, end) in order of time."""
        part = slice(first, end)
        is_real = np.arange(MAX_TRADES) < self.counts[part, None]
        return Ticks(self.at[part][is_real], self.price[part][is_real], self.volume[part][is_real])

    @property
    def bytes(self) -> int:
        """Memory that the arrays take."""
        arrays = (self.counts, self.price, self.volume, self.at)
        return sum(array.nbytes for array in arrays)
