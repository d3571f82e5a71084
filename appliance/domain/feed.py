"""What is ingested: a market in a timeframe."""

from __future__ import annotations

from typing import NamedTuple


class Feed(NamedTuple):
    """One market and timeframe; equal to the pair `(market, unit)`, so that it is its key everywhere."""

    market: str
    unit: int

    @property
    def name(self) -> str:
        """Name in texts and logs, such as `KRW-BTC 1m`."""
        return f"{self.market} {self.unit}m"
