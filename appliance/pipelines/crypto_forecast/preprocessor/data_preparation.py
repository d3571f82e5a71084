"""Candles onto a gapless grid of times."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pandas as pd

from appliance.domain.candle import Gap

PRICES = ("open", "high", "low", "close")


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
