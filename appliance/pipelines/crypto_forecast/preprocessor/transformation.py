"""Prepared rows to model inputs and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from appliance.domain.candle import Gap
from appliance.pipelines.crypto_forecast.configs.forecast_spec import FeatureSpec
from appliance.pipelines.crypto_forecast.preprocessor.cross_features import (
    market_features,
    timeframe_features,
)
from appliance.pipelines.crypto_forecast.preprocessor.data_preparation import (
    MarketCandles,
    prepare_grid,
)
from appliance.pipelines.crypto_forecast.preprocessor.feature_engineering import (
    engineer_features,
    feature_names,
    volatility_scale,
)
from appliance.pipelines.crypto_forecast.preprocessor.preprocess import derive_series

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


def compute_rows(
    candles: pd.DataFrame,
    gaps: Sequence[Gap],
    unit: int,
    spec: FeatureSpec,
    end_at: datetime | None = None,
    others: Mapping[str, MarketCandles] | None = None,
) -> pd.DataFrame:
    """Return prepared rows of candles: the one code path of training and inference.

    Args:
        candles: of the own market, as `prepare_grid` takes them.
        gaps: between them.
        unit: candle width in minutes.
        spec: which features.
        end_at: instant up to which absent candles are proven empty or named in gaps.
        others: candles of the markets in `spec.cross_markets`, known up to the same `end_at`.

    Returns:
        Columns candle_date_time_utc, close, then the features; only rows where all are known.
    """
    grid = prepare_grid(candles, gaps, unit, end_at)
    series = derive_series(grid)
    scale = volatility_scale(series, spec)
    own_end_at = (grid.index[-1] + pd.Timedelta(minutes=unit)).to_pydatetime()
    grids = {
        market: prepare_grid(other.candles, other.gaps, unit, own_end_at)
        for market, other in (others or {}).items()
    }
    columns = {
        **engineer_features(series, scale, spec),
        **market_features(series.times, scale, grids, spec),
        **timeframe_features(grid, unit, scale, spec),
    }
    features = pd.DataFrame(columns, index=series.times)[feature_names(spec)]
    features.iloc[: spec.lookback(unit) - 1] = np.nan
    features.insert(0, "close", series.close)
    is_known = np.isfinite(features.to_numpy()).all(axis=1)
    known: pd.DataFrame = features[is_known].reset_index(names=TIME)
    return known


def label_rows(rows: pd.DataFrame, unit: int, horizon: int) -> LabelledRows:
    """Return the rows (columns as `compute_rows`) whose whole coming horizon is among `rows`."""
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
