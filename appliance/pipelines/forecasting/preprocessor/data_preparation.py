"""Candles onto a gapless grid of times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from appliance.domain.candle import Gap

Positions = np.ndarray[tuple[int], np.dtype[np.int64]]
PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True)
class MarketCandles:
    """Stored candles of one market and timeframe, ascending, and the gaps between them."""

    candles: pd.DataFrame
    gaps: Sequence[Gap]


def prepare_grid(
    candles: pd.DataFrame, gaps: Sequence[Gap], unit: int, end_at: datetime | None = None
) -> pd.DataFrame:
    """Return one row per `unit` minutes from the first candle up to (not including) `end_at`.

    Args:
        candles: columns candle_date_time_utc, open, high, low, close, volume; ascending, no duplicates.
        gaps: times that are neither stored nor proven empty.
        unit: candle width in minutes.
        end_at: instant up to which absent candles are proven empty or named in `gaps`; default is
            the newest candle's close.

    Returns:
        Index candle_date_time_utc; columns open, high, low, close, volume, is_traded, is_gap. A minute
        without a trade has the last close as all four prices and volume 0. Rows in a gap hold NaN.
    """
    width = pd.Timedelta(minutes=unit)
    indexed = candles.set_index("candle_date_time_utc")[[*PRICES, "volume"]]
    last = indexed.index[-1] if end_at is None else pd.Timestamp(end_at) - width
    times = pd.date_range(indexed.index[0], last, freq=width, name="candle_date_time_utc")
    grid = indexed.reindex(times)
    is_traded = grid["close"].notna()
    is_gap = ~is_traded & _inside(times, gaps)
    grid["close"] = grid["close"].ffill()
    for price in ("open", "high", "low"):
        grid[price] = grid[price].where(is_traded, grid["close"])
    grid["volume"] = grid["volume"].fillna(0.0)
    grid.loc[is_gap, [*PRICES, "volume"]] = np.nan
    return grid.assign(is_traded=is_traded, is_gap=is_gap)


def _inside(
    times: pd.DatetimeIndex, gaps: Sequence[Gap]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    inside = np.zeros(len(times), dtype=bool)
    for gap in gaps:
        first = times.searchsorted(pd.Timestamp(gap.start_at))
        inside[first : times.searchsorted(pd.Timestamp(gap.end_at))] = True
    return inside


def aggregate_grid(grid: pd.DataFrame, unit: int, width: int) -> tuple[pd.DataFrame, Positions]:
    """Return the closed candles of a wider timeframe, and which of them each row knows.

    Candles of `width` minutes open at multiples of `width` since the epoch, as the exchange's do. One with
    a gap in it is a gap. The first is left out unless the grid has all of it, the last unless it has closed.

    Returns:
        A grid as `prepare_grid` makes it; and per row of `grid` the position in it of the newest candle
        that had closed when the row's own candle closed, -1 before the first.
    """
    factor = width // unit
    opened = int(grid.index[0].timestamp()) // 60 // unit % factor
    first = -opened % factor
    count = max(len(grid) - first, 0) // factor
    whole = grid.iloc[first : first + count * factor]
    values = {name: whole[name].to_numpy().reshape(count, factor) for name in grid.columns}
    wider = pd.DataFrame(
        {
            "open": values["open"][:, 0],
            "high": values["high"].max(axis=1),
            "low": values["low"].min(axis=1),
            "close": values["close"][:, -1],
            "volume": values["volume"].sum(axis=1),
            "is_traded": values["is_traded"].any(axis=1),
            "is_gap": values["is_gap"].any(axis=1),
        },
        index=whole.index[::factor],
    )
    wider.loc[wider["is_gap"], [*PRICES, "volume"]] = np.nan
    known = (np.arange(len(grid)) + 1 - first) // factor - 1
    return wider, np.maximum(known, -1)
