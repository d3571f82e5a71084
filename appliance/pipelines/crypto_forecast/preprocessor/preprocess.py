"""Grid rows to returns, ranges and volumes; truncated exponential averages that tolerate gaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Vector = NDArray[np.float64]

MIN_WEIGHT = 0.5
"""An average is undefined when less than this part of its weights fell on known rows."""

PARKINSON = 1.0 / (4.0 * np.log(2.0))
"""Variance of a Brownian motion per squared log range (Parkinson 1980)."""


@dataclass(frozen=True, slots=True)
class Series:
    """Aligned arrays, shape (rows,), NaN where unknown.

    `log_close`; `returns` the log return from the row before; `range_variance` Parkinson's
    variance from high and low; `span` the log of high over low; `volume` in base currency; `is_idle` 1.0
    where no trade happened.
    """

    times: pd.DatetimeIndex
    close: Vector
    log_close: Vector
    returns: Vector
    range_variance: Vector
    span: Vector
    volume: Vector
    is_idle: Vector


def derive_series(grid: pd.DataFrame) -> Series:
    """Return the per-row quantities of a prepared grid."""
    close = grid["close"].to_numpy(dtype=np.float64)
    log_close = np.log(close)
    span = np.log(grid["high"].to_numpy(np.float64)) - np.log(grid["low"].to_numpy(np.float64))
    is_idle = np.where(grid["is_gap"], np.nan, (~grid["is_traded"]).astype(np.float64))
    return Series(
        times=pd.DatetimeIndex(grid.index),
        close=close,
        log_close=log_close,
        returns=np.diff(log_close, prepend=np.nan),
        range_variance=PARKINSON * span**2,
        span=span,
        volume=grid["volume"].to_numpy(dtype=np.float64),
        is_idle=np.asarray(is_idle, dtype=np.float64),
    )


def moving_average(values: Vector, half_life: int, truncation: int) -> Vector:
    """Return the exponentially weighted mean of each row and the rows before it.

    Weights halve every `half_life` rows and end after `half_life * truncation` rows, so that a row's
    value depends on that many rows only, whenever it is computed. Unknown rows are left out.

    Returns:
        Shape (rows,); NaN for the first rows without a full look-back and where more than half the weight
        fell on unknown rows.
    """
    length = half_life * truncation
    result = np.full(values.size, np.nan)
    if values.size < length:
        return result
    weights = 0.5 ** (np.arange(length, 0, -1) / half_life)
    weights /= weights.sum()
    is_known = np.isfinite(values)
    total = np.correlate(np.where(is_known, values, 0.0), weights, mode="valid")
    if is_known.all():
        result[length - 1 :] = total
        return result
    known = np.correlate(is_known.astype(np.float64), weights, mode="valid")
    with np.errstate(invalid="ignore", divide="ignore"):
        result[length - 1 :] = np.where(known >= MIN_WEIGHT, total / known, np.nan)
    return result


def trailing_return(series: Series, lag: int) -> Vector:
    """Return the log return over the last `lag` rows; NaN where a row between is unknown."""
    result = np.full(series.log_close.size, np.nan)
    if series.log_close.size > lag:
        result[lag:] = series.log_close[lag:] - series.log_close[:-lag]
        unknown = np.concatenate(([0], np.cumsum(~np.isfinite(series.log_close))))
        result[lag:][unknown[lag + 1 :] - unknown[: -lag - 1] > 0] = np.nan
    return result
