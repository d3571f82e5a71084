"""Prepared rows to model inputs and labels; a row is labelled with what its market did next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from appliance.errors import ConfigError
from appliance.pipelines.forecasting.preprocessor.preprocess import Series

Vector = NDArray[np.float64]
TIME = "candle_date_time_utc"


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """Rows with a known outcome, in time order.

    `features` has one column per feature; `returns` is the log return from each row's close to
    the close `horizon` candles later, `realised` the root of the sum of squared log returns of the
    candles between, `close` the row's own close.
    """

    times: pd.DatetimeIndex
    features: pd.DataFrame
    returns: Vector
    realised: Vector
    close: Vector

    def __len__(self) -> int:
        return len(self.times)

    def slice(self, start: int, stop: int | None = None) -> LabelledRows:
        """Return the rows [start, stop) by position."""
        window = slice(start, stop)
        return LabelledRows(
            self.times[window],
            self.features.iloc[window],
            self.returns[window],
            self.realised[window],
            self.close[window],
        )


def known_rows(
    series: Series, features: Mapping[str, Vector], names: Sequence[str], lookback: int
) -> pd.DataFrame:
    """Return the rows in which every feature is finite and that have `lookback` candles to rest on.

    Args:
        series: quantities of each row.
        features: by name, shape (rows,) each; those in `names` are taken.
        names: in stored order.
        lookback: candles that a row depends on, its own included.

    Returns:
        Columns candle_date_time_utc, close, then `names`.

    Raises:
        ConfigError: a named feature is not among them.
    """
    absent = [name for name in names if name not in features]
    if absent:
        raise ConfigError(
            f"there are no values for the features {', '.join(absent)}",
            code="config.feature_schema",
            hint="use the same names in feature_names and engineer_features of feature_engineering.py",
        )
    frame = pd.DataFrame(features, index=series.times)[list(names)]
    frame.iloc[: lookback - 1] = np.nan
    frame.insert(0, "close", series.close)
    is_known = np.isfinite(frame.to_numpy()).all(axis=1)
    known: pd.DataFrame = frame[is_known].reset_index(names=TIME)
    return known


def label_rows(rows: pd.DataFrame, unit: int, horizon: int) -> LabelledRows:
    """Return the rows (columns as a recipe's `compute_rows`) whose whole coming horizon is among `rows`."""
    times = pd.DatetimeIndex(rows[TIME])
    width = pd.Timedelta(minutes=unit)
    grid = pd.date_range(times[0], times[-1], freq=width)
    log_close = pd.Series(np.log(rows["close"].to_numpy(np.float64)), index=times).reindex(grid)
    values = log_close.to_numpy(np.float64)
    ahead = np.full(values.size, np.nan)
    realised = np.full(values.size, np.nan)
    if values.size > horizon:
        ahead[:-horizon] = values[horizon:] - values[:-horizon]
        squares = np.diff(values) ** 2
        windows = np.lib.stride_tricks.sliding_window_view(squares, horizon)
        realised[:-horizon] = np.sqrt(windows.sum(axis=1))
    position = grid.get_indexer(times)
    returns, spread = ahead[position], realised[position]
    is_known = np.isfinite(returns) & np.isfinite(spread)
    features = rows.drop(columns=[TIME, "close"])[is_known].reset_index(drop=True)
    close = rows["close"].to_numpy(np.float64)[is_known]
    return LabelledRows(times[is_known], features, returns[is_known], spread[is_known], close)


def to_arrow(rows: pd.DataFrame) -> pa.Table:
    """Return prepared rows as the store takes them."""
    return pa.Table.from_pandas(rows, preserve_index=False)


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Return a table of the store as a frame with aware UTC times."""
    frame: pd.DataFrame = table.to_pandas()
    return frame
