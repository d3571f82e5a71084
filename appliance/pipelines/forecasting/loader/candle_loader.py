"""Candles and what is known about the gaps between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pandas as pd

from appliance.domain.candle import Gap
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


def cut_window(
    window: CandleWindow, start_at: datetime | None = None, end_at: datetime | None = None
) -> CandleWindow:
    """Return what was known of a window at `end_at`, without what lies before `start_at`.

    Where nothing was traded at `start_at`, the candle before stays: the price then is its close.
    """
    last_at = window.end_at if end_at is None else end_at
    others = {name: _cut(each, start_at, last_at) for name, each in window.others.items()}
    return CandleWindow(_cut(window.own, start_at, last_at), others, last_at)


def _cut(market: MarketCandles, start_at: datetime | None, end_at: datetime) -> MarketCandles:
    candles = market.candles[market.candles[TIME] < end_at]
    if start_at is not None:
        first = int(candles[TIME].searchsorted(pd.Timestamp(start_at), side="right")) - 1
        candles = candles.iloc[max(first, 0) :]
        start_at = (
            min(start_at, candles[TIME].iloc[0].to_pydatetime()) if len(candles) else start_at
        )
    gaps: Sequence[Gap] = [
        replace(gap, end_at=min(gap.end_at, end_at))
        for gap in market.gaps
        if gap.start_at < end_at and (start_at is None or gap.end_at > start_at)
    ]
    return MarketCandles(candles.reset_index(drop=True), gaps)
