"""Candles and what is known about the gaps between them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.preprocessor.data_preparation import MarketCandles
from appliance.pipelines.forecasting.preprocessor.labels import TIME
from store.candles import read_candles
from store.coverage import gaps, watermark
from store.session import Session


@dataclass(frozen=True, slots=True)
class CandleWindow:
    """Consecutive stored candles up to `end_at`, those of the other markets, and the gaps in both."""

    own: MarketCandles
    others: dict[str, MarketCandles]
    end_at: datetime


def known_until(session: Session, spec: ForecastSpec) -> datetime | None:
    """Return the instant before which nothing is unknown in any market that features need.

    Returns:
        None when one of them has no candle yet.
    """
    markets = (spec.market, *spec.features.cross_markets)
    marks = [watermark(session, market, spec.unit) for market in markets]
    known = [mark for mark in marks if mark is not None]
    return min(known) if len(known) == len(marks) else None


def load_window(
    session: Session, spec: ForecastSpec, first_at: datetime, end_at: datetime
) -> CandleWindow | None:
    """Return the candles that features of the rows [first_at, end_at) depend on.

    Reads at least the features' look-back in candles before `first_at`, however many minutes without
    a trade lie between them, as far as history goes.

    Returns:
        None when a market has no candle.
    """
    rows = int((end_at - first_at) / timedelta(minutes=spec.unit))
    count = rows + spec.features.lookback(spec.unit) + 1
    own = _read(session, spec.market, spec.unit, end_at, count)
    others: dict[str, MarketCandles] = {}
    for market in spec.features.cross_markets:
        other = _read(session, market, spec.unit, end_at, count)
        if other is None:
            return None
        others[market] = other
    return CandleWindow(own, others, end_at) if own is not None else None


def _read(
    session: Session, market: str, unit: int, end_at: datetime, count: int
) -> MarketCandles | None:
    table = read_candles(session, market, unit, end_at=end_at, limit=count)
    if table.num_rows == 0:
        return None
    candles: pd.DataFrame = table.to_pandas()
    start_at = candles[TIME].iloc[0].to_pydatetime()
    return MarketCandles(candles, gaps(session, market, unit, start_at, end_at))
