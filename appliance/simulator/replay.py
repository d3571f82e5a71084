"""Recorded candles served as a market; absent rows are intervals without a trade."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from appliance.domain.candle import TIMEFRAMES
from appliance.errors import ConfigError
from appliance.simulator.columns import Columns, Ticks, empty
from appliance.simulator.replay_columns import Column
from appliance.simulator.replay_file import TIME, read_replay
from appliance.simulator.windows import DAY, MINUTES_PER_DAY, MS_PER_MINUTE

_WIDTHS = (*TIMEFRAMES, DAY)
_TRADE_TIMES = (0.01, 0.35, 0.65, 0.985)  # of the candle's width; the last is the stored timestamp


class ReplayMarket:
    """One market read from a parquet or CSV file; its finest timeframe is the file's own.

    The forming candle's trades are made up from the recorded one: open, the two extremes in the order
    that fits its direction, close, each with a quarter of the volume.

    Raises:
        ConfigError: the file cannot be read, lacks a column, or its width is none of Upbit's.
    """

    version = 0

    def __init__(self, code: str, path: Path) -> None:
        self.code = code
        self._rows = _columns(read_replay(path, code))
        self.base_unit = _unit(self._rows, path)
        self._rows.stamp[:] += self.base_unit * MS_PER_MINUTE * 985 // 1000
        self.first_minute = int(self._rows.opens[0])
        self.ends_at_minute = int(self._rows.opens[-1]) + self.base_unit

    def day(self, day: int) -> Columns:
        """Return every recorded candle of a UTC day (days since 1970)."""
        return self._rows.between(day * MINUTES_PER_DAY, (day + 1) * MINUTES_PER_DAY)

    def is_cached(self, day: int) -> bool:
        """Return True."""
        return True

    def seconds(self, hour: int) -> Columns:
        """Return none: what happened within a recorded candle is not known."""
        return empty()

    def ticks(self, step: int) -> Ticks:
        """Return the made-up trades of the candle that opens at minute `step` since 1970."""
        row = self._rows.between(step, step + 1)
        if len(row) == 0:
            return Ticks(np.empty(0, np.int64), np.empty(0), np.empty(0))
        extremes = (row.low[0], row.high[0])
        if row.close[0] < row.open[0]:
            extremes = (row.high[0], row.low[0])
        width = self.base_unit * MS_PER_MINUTE
        return Ticks(
            at=np.array([step * MS_PER_MINUTE + int(width * part) for part in _TRADE_TIMES]),
            price=np.array([row.open[0], *extremes, row.close[0]]),
            volume=np.full(4, row.volume[0] / 4),
        )

    def yearly_range(self, day: int) -> tuple[tuple[int, float], tuple[int, float]]:
        """Return (day, price) of the lowest and highest price in the 365 days up to `day`."""
        year = self._rows.between((day - 364) * MINUTES_PER_DAY, (day + 1) * MINUTES_PER_DAY)
        if len(year) == 0:
            return (day, 0.0), (day, 0.0)
        low, high = int(year.low.argmin()), int(year.high.argmax())
        return (int(year.opens[low]) // MINUTES_PER_DAY, float(year.low[low])), (
            int(year.opens[high]) // MINUTES_PER_DAY,
            float(year.high[high]),
        )


def _columns(read: dict[str, Column]) -> Columns:
    """Return the candles in order of time; of two of one time the later row counts."""
    seconds = read[TIME]
    order = np.argsort(seconds, kind="stable")
    order = order[np.r_[np.diff(seconds[order]) > 0, True]]
    opens = seconds[order] // 60
    value = read.get("value")
    if value is None:
        value = np.round(read["close"] * read["volume"], 8)
    return Columns(
        opens=opens,
        open=read["open"][order],
        high=read["high"][order],
        low=read["low"][order],
        close=read["close"][order],
        volume=read["volume"][order],
        value=value[order],
        stamp=opens * MS_PER_MINUTE,
    )


def _unit(rows: Columns, path: Path) -> int:
    """Return the file's candle width: the smallest distance of its rows, in minutes."""
    unit = int(np.diff(rows.opens).min()) if len(rows) > 1 else 1
    if unit not in _WIDTHS:
        raise ConfigError(
            f"replay file {path} has candles of {unit} minutes, by their smallest distance",
            hint=f"candles must be {', '.join(map(str, TIMEFRAMES))} minutes or a day wide",
        )
    if np.any(rows.opens % unit):
        at = datetime.fromtimestamp(int(rows.opens[np.argmax(rows.opens % unit > 0)]) * 60, UTC)
        raise ConfigError(
            f"replay file {path} has a candle at {at:%Y-%m-%dT%H:%M}Z between others of {unit} minutes",
            hint=f"candles of {unit} minutes open at multiples of {unit} minutes (UTC)",
        )
    return unit
