"""The volume below the candles: one bar a candle, in eighths of a row."""

from __future__ import annotations

from collections.abc import Sequence

from appliance.domain.candle import Candle

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_ROWS_BY_HEIGHT = ((20, 3), (12, 2), (8, 1))


def volume_rows(height: int) -> int:
    """Return how many of a chart's `height` rows the volume may take."""
    return next((rows for at_least, rows in _ROWS_BY_HEIGHT if height >= at_least), 0)


def volume_bars(columns: Sequence[Candle | None], rows: int) -> list[list[str]]:
    """Return `rows` rows of glyphs, top first; the largest volume fills them, any trade shows."""
    most = max((candle.volume for candle in columns if candle), default=0.0)
    bars = [_eighths(candle, most, rows) for candle in columns]
    return [
        [_EIGHTHS[min(max(bar - 8 * (rows - 1 - row), 0), 8)] for bar in bars]
        for row in range(rows)
    ]


def _eighths(candle: Candle | None, most: float, rows: int) -> int:
    if candle is None or candle.volume <= 0 or most <= 0:
        return 0
    return max(round(candle.volume / most * 8 * rows), 1)
