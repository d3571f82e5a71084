"""What is watched of the market itself, beside the features."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.preprocessor.labels import TIME
from store.candles import read_candles
from store.session import Session

TRADED_VOLUME = "traded_volume"
"""Name under which the level of volume is watched; no feature sees it, they are relative to recent volume."""


def load_market_values(
    session: Session, spec: ForecastSpec, times: pd.DatetimeIndex
) -> dict[str, NDArray[np.float64]]:
    """Return the logarithm of each candle's volume, shape (len(times),); NaN where nothing was traded.

    Args:
        session: the store.
        spec: whose market.
        times: opening times, ascending, at least one.
    """
    width = pd.Timedelta(minutes=spec.unit)
    table = read_candles(
        session,
        spec.market,
        spec.unit,
        times[0].to_pydatetime(),
        (times[-1] + width).to_pydatetime(),
    )
    volumes = pd.Series(
        table.column("volume").to_numpy(), pd.DatetimeIndex(table.column(TIME).to_pandas())
    )
    traded = volumes[volumes > 0.0].reindex(times)
    return {TRADED_VOLUME: np.log(traded.to_numpy(np.float64))}
