"""Candles to try a project on: the simulator's market, so that no store and no network is needed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from appliance.domain.candle import Gap
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.loader.candle_loader import CandleWindow
from appliance.pipelines.forecasting.preprocessor.data_preparation import MarketCandles
from appliance.pipelines.forecasting.preprocessor.labels import TIME
from appliance.simulator.columns import Columns, concatenate
from appliance.simulator.listing import profile
from appliance.simulator.shifts import Shift, ShiftSchedule
from appliance.simulator.synthetic import SyntheticMarket
from appliance.simulator.windows import MINUTES_PER_DAY

ORIGIN = datetime(2026, 1, 5, tzinfo=UTC)
SEED = 7
HEAD_ROWS = 40
"""Rows at the end that are whole: a gap there would leave nothing to look at."""


def sample_window(
    spec: ForecastSpec,
    rows: int,
    *,
    gap_rows: int = 0,
    shift: Shift | None = None,
    skip_rows: int = 0,
) -> CandleWindow:
    """Return candles of a config's markets that give about `rows` rows, ending in whole ones.

    Each minute of the simulated market stands for one candle of the config's width. Every 50th candle is
    missing, an interval without a trade.

    Args:
        spec: which markets, which width, how long a look-back.
        rows: how many rows.
        gap_rows: unknown candles in the middle.
        shift: a change of regime in the minutes of the simulated market since `ORIGIN`.
        skip_rows: candles left out before, for rows that follow another window's.
    """
    count = rows + spec.features.lookback(spec.unit)
    start_at = ORIGIN + timedelta(minutes=spec.unit * skip_rows)
    end_at = start_at + timedelta(minutes=spec.unit * count)
    first_at = end_at - timedelta(minutes=spec.unit * (rows // 2))
    known = [
        _candles(market, spec.unit, start_at, skip_rows, count, shift)
        for market in (spec.market, *spec.features.cross_markets)
    ]
    gap = Gap(spec.market, spec.unit, first_at, first_at + timedelta(minutes=spec.unit * gap_rows))
    own = _with_gap(known[0], gap) if gap_rows else MarketCandles(known[0], [])
    others = [MarketCandles(candles, []) for candles in known[1:]]
    return CandleWindow(own, dict(zip(spec.features.cross_markets, others, strict=True)), end_at)


def _candles(
    market: str, unit: int, start_at: datetime, skip: int, count: int, shift: Shift | None
) -> pd.DataFrame:
    simulated = SyntheticMarket(profile(market), SEED, ShiftSchedule([shift] if shift else ()))
    first = int(ORIGIN.timestamp()) // 60 + skip
    days = range(first // MINUTES_PER_DAY, (first + count) // MINUTES_PER_DAY + 1)
    columns = concatenate([simulated.day(day) for day in days]).between(first, first + count)
    frame = _frame(columns, start_at, first, unit)
    is_idle = (np.arange(len(frame)) % 50 == 49) & (np.arange(len(frame)) < len(frame) - HEAD_ROWS)
    traded: pd.DataFrame = frame[~is_idle].reset_index(drop=True)
    return traded


def _frame(columns: Columns, start_at: datetime, first: int, unit: int) -> pd.DataFrame:
    since = pd.to_timedelta((columns.opens - first) * unit, unit="min")
    return pd.DataFrame(
        {
            TIME: pd.Timestamp(start_at) + since,
            "open": columns.open,
            "high": columns.high,
            "low": columns.low,
            "close": columns.close,
            "volume": columns.volume,
        }
    )


def _with_gap(candles: pd.DataFrame, gap: Gap) -> MarketCandles:
    is_unknown = (candles[TIME] >= gap.start_at) & (candles[TIME] < gap.end_at)
    return MarketCandles(candles[~is_unknown].reset_index(drop=True), [gap])


def shift_at(row: int, volatility: float, volume: float) -> Shift:
    """Return a change of regime from the `row`-th candle after `ORIGIN` on, for ever."""
    return Shift(int(ORIGIN.timestamp()) // 60 + row, volatility=volatility, volume=volume)
