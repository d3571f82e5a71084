"""Axes of the chart: round price ticks and time labels, fitted to the room there is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from appliance import zone


@dataclass(frozen=True, slots=True)
class PriceScale:
    """Prices from `low` to `high` on `rows` terminal rows of two halves each, top first."""

    low: float
    high: float
    rows: int

    def half(self, price: float) -> int:
        """Return the half row of `price`, 0 at the top, kept inside the plot."""
        last = 2 * self.rows - 1
        fraction = (self.high - price) / (self.high - self.low)
        return min(max(round(fraction * last), 0), last)

    def row(self, price: float) -> int:
        """Return the row of `price`."""
        return self.half(price) // 2


def price_scale(prices: list[float], rows: int) -> PriceScale:
    """Return a scale that holds `prices` with a little air above and below."""
    low, high = min(prices), max(prices)
    air = (high - low) * 0.04 or abs(high) * 0.001 or 1.0
    return PriceScale(low - air, high + air, rows)


def ticks(scale: PriceScale, rows_apart: int = 3) -> list[float]:
    """Return round prices inside the scale, about `rows_apart` rows from each other."""
    wanted = max(scale.rows // rows_apart, 1)
    rough = (scale.high - scale.low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough), 10 * power)
    first = math.ceil(scale.low / step)
    return [i * step for i in range(first, math.floor(scale.high / step) + 1)]


def price_label(price: float, step: float, *, compact: bool) -> str:
    """Return a price for the axis; `compact` writes millions and thousands as M and K."""
    size, suffix = 1.0, ""
    if compact and abs(price) >= 1e6:
        size, suffix = 1e6, "M"
    elif compact and abs(price) >= 1e5:
        size, suffix = 1e3, "K"
    decimals = max(0, math.ceil(-math.log10(step / size) - 1e-9)) if step > 0 else 0
    if step > 0 and abs(step / size * 10**decimals - round(step / size * 10**decimals)) > 1e-6:
        decimals += 1
    return f"{price / size:,.{min(decimals, 14)}f}{suffix}"


def time_labels(times: list[datetime | None], minutes: int, room: int) -> str:
    """Return the time axis, `room` cells: labels of the zone under columns at round times.

    `times[i]` is the opening time of column i, None where the column stands for no time;
    `minutes` the width of one column.
    """
    cells = [" "] * room
    step = _round_step(minutes * 9)
    free_from = 0
    for column, at in enumerate(times):
        local = zone.local(at) if at else None
        if local is None or (local.hour * 60 + local.minute) % step:
            continue
        label = local.strftime("%m-%d" if step >= 1440 else "%H:%M")
        start = column - 2
        if start >= free_from and start + len(label) <= room:
            cells[start : start + len(label)] = label
            free_from = start + len(label) + 3
    return "".join(cells)


def _round_step(at_least: int) -> int:
    """Return the smallest round number of minutes that is `at_least` so many."""
    steps = (5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 720, 1440)
    return next((step for step in steps if step >= at_least), 1440)
