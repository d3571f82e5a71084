"""What all markets of a simulator may keep in memory together, in bytes."""

from __future__ import annotations

from appliance.simulator.columns import Columns
from appliance.simulator.day_paths import DayPaths
from appliance.simulator.lru import LruCache
from appliance.simulator.render import Rows

_DAYS = 48_000_000
_PATHS = 64_000_000
_ROWS = 96_000_000
_PACKED = 32_000_000


class MarketCaches:
    """Computed days and trades of the synthetic markets; keys are (market, day, version)."""

    def __init__(self) -> None:
        self.days: LruCache[tuple[str, int, int], Columns] = LruCache(_DAYS, lambda day: day.bytes)
        self.paths: LruCache[tuple[str, int, int], DayPaths] = LruCache(
            _PATHS, lambda day: day.bytes
        )


class PageCaches:
    """What is made of candles: wider ones, JSON rows, compressed replies."""

    def __init__(self) -> None:
        self.wider: LruCache[tuple[str, int, int, int], Columns] = LruCache(
            _DAYS, lambda part: part.bytes
        )
        self.rows: LruCache[tuple[str, int, int, int], Rows] = LruCache(
            _ROWS, lambda part: part.bytes
        )
        self.packed: LruCache[object, bytes] = LruCache(_PACKED, len)
