"""Recorded candles served as a market; absent rows are intervals without a trade."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from appliance.domain.candle import TIMEFRAMES
from appliance.errors import ConfigError
from appliance.simulator.columns import Columns, Floats, Ticks, empty
from appliance.simulator.windows import MINUTES_PER_DAY, MS_PER_MINUTE

_PRICES = ("open", "high", "low", "close", "volume")
_NEEDED = ("candle_date_time_utc", *_PRICES)
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
        self._rows = _columns(_read(path), path)
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


def _read(path: Path) -> pa.Table:
    try:
        return csv.read_csv(path) if path.suffix == ".csv" else parquet.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise ConfigError(
            f"replay file {path} cannot be read: {error}", hint="give a parquet or .csv file"
        ) from error


def _columns(table: pa.Table, path: Path) -> Columns:
    missing = [name for name in _NEEDED if name not in table.column_names]
    if missing:
        raise ConfigError(
            f"replay file {path} has no column {missing[0]!r}", hint=f"needed: {', '.join(_NEEDED)}"
        )
    if table.num_rows == 0:
        raise ConfigError(f"replay file {path} has no rows")
    try:
        seconds = _seconds(table.column("candle_date_time_utc"))
        values = {name: _floats(table.column(name)) for name in _PRICES}
        value = _floats(table.column("value")) if "value" in table.column_names else None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise ConfigError(
            f"replay file {path}: {error}", hint="check its columns' types"
        ) from error
    order = np.argsort(seconds, kind="stable")
    is_last = np.r_[np.diff(seconds[order]) > 0, True]
    order = order[is_last]
    opens = seconds[order] // 60
    if value is None:
        value = np.round(values["close"] * values["volume"], 8)
    return Columns(
        opens=opens,
        open=values["open"][order],
        high=values["high"][order],
        low=values["low"][order],
        close=values["close"][order],
        volume=values["volume"][order],
        value=value[order],
        stamp=opens * MS_PER_MINUTE,
    )


def _seconds(column: pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pc.cast(pc.replace_substring_regex(column, r"(Z|\+00:00)$", ""), pa.timestamp("s"))
    whole = pc.cast(column, pa.timestamp("s", tz=column.type.tz), safe=False)
    return np.asarray(pc.cast(whole, pa.int64()).to_numpy(), dtype=np.int64)


def _floats(column: pa.ChunkedArray) -> Floats:
    return np.asarray(pc.cast(column, pa.float64()).to_numpy(), dtype=np.float64)


def _unit(rows: Columns, path: Path) -> int:
    """Return the file's candle width: the smallest distance of its rows, in minutes."""
    unit = int(np.diff(rows.opens).min()) if len(rows) > 1 else 1
    if unit not in TIMEFRAMES or np.any(rows.opens % unit):
        raise ConfigError(
            f"replay file {path} has candles of {unit} minutes",
            hint=f"candles must be aligned and {', '.join(map(str, TIMEFRAMES))} minutes wide",
        )
    return unit
