"""Grid rows to returns, ranges and volumes; truncated exponential averages that tolerate gaps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Vector = NDArray[np.float64]

MIN_WEIGHT = 0.5
"""An average is undefined when less than this part of its weights fell on known rows."""

SMALLEST_VOLATILITY = 1e-6
"""Floor of the volatility per candle: a market that stands still must not divide by zero."""

PARKINSON = 1.0 / (4.0 * np.log(2.0))
"""Variance of a Brownian motion per squared log range (Parkinson 1980)."""

GARMAN_KLASS = 2.0 * np.log(2.0) - 1.0
"""Weight of the squared body beside half the squared range (Garman & Klass 1980, eq. 20)."""


@dataclass(frozen=True, slots=True)
class Series:
    """Aligned arrays, shape (rows,), NaN where unknown.

    `log_close`; `returns` the log return from the row before; `parkinson` and `garman_klass` the variances
    that the range says; `span` the log of high over low; `volume` in base currency; `value` in KRW, at the
    close; `is_idle` 1.0 where no trade happened.
    """

    times: pd.DatetimeIndex
    close: Vector
    log_close: Vector
    returns: Vector
    parkinson: Vector
    garman_klass: Vector
    span: Vector
    volume: Vector
    value: Vector
    is_idle: Vector


def derive_series(grid: pd.DataFrame) -> Series:
    """Return the per-row quantities of a prepared grid."""
    close = grid["close"].to_numpy(dtype=np.float64)
    log_close = np.log(close)
    span = np.log(grid["high"].to_numpy(np.float64)) - np.log(grid["low"].to_numpy(np.float64))
    body = log_close - np.log(grid["open"].to_numpy(np.float64))
    volume = grid["volume"].to_numpy(dtype=np.float64)
    is_idle = np.where(grid["is_gap"], np.nan, (~grid["is_traded"]).astype(np.float64))
    return Series(
        times=pd.DatetimeIndex(grid.index),
        close=close,
        log_close=log_close,
        returns=np.diff(log_close, prepend=np.nan),
        parkinson=PARKINSON * span**2,
        garman_klass=0.5 * span**2 - GARMAN_KLASS * body**2,
        span=span,
        volume=volume,
        value=volume * close,
        is_idle=np.asarray(is_idle, dtype=np.float64),
    )


def moving_average(values: Vector, half_life: int, truncation: int) -> Vector:
    """Return the exponentially weighted mean of each row and the rows before it.

    Weights halve every `half_life` rows and end after `half_life * truncation` rows, so that a row's
    value depends on that many rows only, whenever it is computed.

    Returns:
        As `windowed_mean`.
    """
    return windowed_mean(values, half_life * truncation, 0.5 ** (1.0 / half_life))


def moving_volatility(variances: Vector, half_life: int, truncation: int) -> Vector:
    """Return the root of the moving average of variances, floored at `SMALLEST_VOLATILITY`."""
    average = moving_average(variances, half_life, truncation)
    return np.maximum(np.sqrt(average), SMALLEST_VOLATILITY)


def log_ratio(volatility: Vector, other: Vector) -> Vector:
    """Return the log of one volatility over another, both floored at `SMALLEST_VOLATILITY`."""
    floor = SMALLEST_VOLATILITY
    return np.asarray(np.log(np.maximum(volatility, floor) / np.maximum(other, floor)))


def windowed_mean(values: Vector, length: int, decay: float = 1.0) -> Vector:
    """Return the mean of each row and the `length` - 1 rows before it; unknown rows are left out.

    A row counts `decay` times as much as the one after it.

    Returns:
        Shape (rows,); NaN for the first rows without a full look-back and where more than half the weight
        fell on unknown rows.
    """
    return _known_mean(values, length, lambda part: trailing_sum(part, length, decay))


def seasonal_mean(values: Vector, period: int, cycles: int, span: int) -> Vector:
    """Return the mean of the `span` rows that followed each row `period`, 2 `period`, ... rows earlier.

    Returns:
        As `windowed_mean` over the last `period` * `cycles` rows.
    """

    def total(part: Vector) -> Vector:
        after = trailing_sum(part, span)
        cycle = np.arange(1, cycles + 1) * period - span
        return np.asarray(sum((_delayed(after, int(ago)) for ago in cycle), np.zeros(part.size)))

    return _known_mean(values, period * cycles, total)


def trailing_sum(values: Vector, length: int, decay: float = 1.0) -> Vector:
    """Return the sum of `decay` ** k times the value k rows before each row, k below `length`.

    By doubling: a sum over 2n rows is one over n and the one n rows before, so that a row costs the
    logarithm of the length. Rows before the first count as 0. The order of additions is the same for
    every row, so that a sum is the same in whichever window it is computed.
    """
    result, block = np.zeros(values.size), values
    done, size, left = 0, 1, length
    while left:
        if left & 1:
            result = result + decay**done * _delayed(block, done)
            done += size
        left >>= 1
        if left:
            block = block + decay**size * _delayed(block, size)
            size *= 2
    return result


def _known_mean(values: Vector, lookback: int, total: Callable[[Vector], Vector]) -> Vector:
    """Return total of the known values / total of ones, where half of the latter falls on known rows."""
    result = np.full(values.size, np.nan)
    first = lookback - 1
    if values.size <= first:
        return result
    is_known = np.isfinite(values)
    weight = total(np.ones(lookback))[-1]
    if is_known.all():
        result[first:] = total(values)[first:] / weight
        return result
    known = total(is_known.astype(np.float64))[first:]
    sums = total(np.where(is_known, values, 0.0))[first:]
    with np.errstate(invalid="ignore", divide="ignore"):
        result[first:] = np.where(known >= MIN_WEIGHT * weight, sums / known, np.nan)
    return result


def _delayed(values: Vector, rows: int) -> Vector:
    """Return the value `rows` rows before each row, 0 for the first rows."""
    if not rows:
        return values
    result = np.zeros(values.size)
    result[rows:] = values[:-rows]
    return result


def lagged(values: Vector, lag: int) -> Vector:
    """Return the value `lag` rows before each row, NaN for the first rows."""
    result = np.full(values.size, np.nan)
    result[lag:] = values[: values.size - lag]
    return result


def trailing_return(series: Series, lag: int) -> Vector:
    """Return the log return over the last `lag` rows; NaN where a row between is unknown."""
    result = np.full(series.log_close.size, np.nan)
    if series.log_close.size > lag:
        result[lag:] = series.log_close[lag:] - series.log_close[:-lag]
        unknown = np.concatenate(([0], np.cumsum(~np.isfinite(series.log_close))))
        result[lag:][unknown[lag + 1 :] - unknown[: -lag - 1] > 0] = np.nan
    return result
