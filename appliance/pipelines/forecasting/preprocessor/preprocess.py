"""Grid rows to returns, ranges and volumes; truncated exponential averages that tolerate gaps."""

from __future__ import annotations

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
    length = half_life * truncation
    return windowed_mean(values, 0.5 ** (np.arange(length, 0, -1) / half_life))


def moving_volatility(variances: Vector, half_life: int, truncation: int) -> Vector:
    """Return the root of the moving average of variances, floored at `SMALLEST_VOLATILITY`."""
    average = moving_average(variances, half_life, truncation)
    return np.maximum(np.sqrt(average), SMALLEST_VOLATILITY)


def log_ratio(volatility: Vector, other: Vector) -> Vector:
    """Return the log of one volatility over another, both floored at `SMALLEST_VOLATILITY`."""
    floor = SMALLEST_VOLATILITY
    return np.asarray(np.log(np.maximum(volatility, floor) / np.maximum(other, floor)))


def windowed_mean(values: Vector, weights: Vector) -> Vector:
    """Return each row's weighted mean of the rows up to it; unknown rows are left out.

    Args:
        values: shape (rows,).
        weights: of the oldest row first, of the row itself last.

    Returns:
        Shape (rows,); NaN for the first rows without a full look-back and where more than half the weight
        fell on unknown rows.
    """
    result = np.full(values.size, np.nan)
    if values.size < weights.size:
        return result
    shares = weights / weights.sum()
    is_known = np.isfinite(values)
    total = np.correlate(np.where(is_known, values, 0.0), shares, mode="valid")
    if is_known.all():
        result[weights.size - 1 :] = total
        return result
    known = np.correlate(is_known.astype(np.float64), shares, mode="valid")
    with np.errstate(invalid="ignore", divide="ignore"):
        result[weights.size - 1 :] = np.where(known >= MIN_WEIGHT, total / known, np.nan)
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
