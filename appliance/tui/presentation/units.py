"""Values with their unit: in words, and short on an axis."""

from __future__ import annotations

import math

from appliance.tui.presentation.chart_scale import price_label
from appliance.tui.presentation.formats import UNKNOWN, percent, price

SHARE, BYTES, RATE, CORES, DEVIATIONS = "share", "bytes", "bytes/s", "cores", "deviations"
_SIZES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))
_DIGITS = {"": 4}
"""Significant digits of a plain number, by unit; three where nothing is said."""


def value_words(value: float | None, unit: str) -> str:
    """Return a value with its unit and sensible digits, such as `79.3 %`, `312 MB`, `2.1 deviations`."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if unit == SHARE:
        return percent(value, 1 if abs(value) >= 0.1 else 2)
    if unit in {BYTES, RATE}:
        size, name = _size_of(value)
        return f"{value / size:.3g} {name}{'/s' if unit == RATE else ''}"
    if not unit:
        return _plain(value, unit)
    number = _plain(value, unit) if unit in {CORES, DEVIATIONS} else price(value)
    return f"{number} {unit}"


def axis_label(value: float, step: float, unit: str, largest: float) -> str:
    """Return an axis' label with as many digits as `step` needs; `largest` sets the size of all."""
    if unit == SHARE:
        return f"{price_label(value * 100, step * 100, compact=False)} %".replace("-", "−")
    if unit in {BYTES, RATE}:
        size, name = _size_of(largest)
        return f"{price_label(value / size, step / size, compact=False)} {name}"
    return price_label(value, step, compact=True).replace("-", "−")


def _size_of(value: float) -> tuple[float, str]:
    return next((size for size in _SIZES if abs(value) >= size[0]), _SIZES[-1])


def _plain(value: float, unit: str) -> str:
    if value == 0 or float(value).is_integer():
        return f"{value:,.0f}".replace("-", "−")
    decimals = max(_DIGITS.get(unit, 3) - 1 - math.floor(math.log10(abs(value))), 0)
    return f"{value:,.{min(decimals, 9)}f}".replace("-", "−")
