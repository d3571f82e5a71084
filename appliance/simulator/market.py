"""What a source of candles offers, synthetic or recorded."""

from __future__ import annotations

from typing import Protocol

from appliance.simulator.columns import Columns, Ticks


class Market(Protocol):
    """A source of candles: synthetic or recorded."""

    code: str
    base_unit: int
    first_minute: int

    @property
    def version(self) -> int:
        """Changes when what has not happened yet becomes different."""

    def day(self, day: int) -> Columns:
        """Return every candle of a UTC day, whether or not it has closed."""

    def is_cached(self, day: int) -> bool:
        """Whether a day is there without being computed."""

    def seconds(self, hour: int) -> Columns:
        """Return every one-second candle of an hour since 1970; none where only minutes are known."""

    def ticks(self, step: int) -> Ticks:
        """Return every trade of the candle that opens at minute `step`."""

    def yearly_range(self, day: int) -> tuple[tuple[int, float], tuple[int, float]]:
        """Return (day, price) of the year's low and high."""
