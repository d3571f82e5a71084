"""Candles and what is known about the gaps between them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from appliance.domain.candle import Gap
from appliance.pipelines.crypto_forecast.configs.forecast_spec import ForecastSpec
from store.candles import read_candles
from store.coverage import gaps
from store.session import Session


@dataclass(frozen=True, slots=True)
class CandleWindow:
    """Consecutive stored candles up to `end_at`, and the gaps between them."""

    candles: pd.DataFrame
    gaps: list[Gap]
    end_at: datetime


def load_window(
    session: Session, spec: ForecastSpec, first_at: datetime, end_at: datetime
) -> CandleWindow | None:
    """Return the candles that features of the rows [first_at, end_at) depend on.

    Reads at least `spec.features.lookback` candles before `first_at`, however many minutes without
    a trade lie between them, as far as history goes.

    Returns:
        None when there is no candle.
    """
    width = timedelta(minutes=spec.unit)
    rows = int((end_at - first_at) / width)
    table = read_candles(
        session,
        spec.market,
        spec.unit,
        end_at=end_at,
        limit=rows + spec.features.lookback + 1,
    )
    if table.num_rows == 0:
        return None
    candles: pd.DataFrame = table.to_pandas()
    start_at = candles["candle_date_time_utc"].iloc[0].to_pydatetime()
    unknown = gaps(session, spec.market, spec.unit, start_at, end_at)
    return CandleWindow(candles, unknown, end_at)
