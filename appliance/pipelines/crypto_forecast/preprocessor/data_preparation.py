"""Candles of all markets onto gapless grids of times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import pandas as pd

from appliance.domain.candle import Gap
from appliance.pipelines.forecasting.preprocessor.data_preparation import (
    MarketCandles,
    prepare_grid,
)


def prepare_grids(
    candles: pd.DataFrame,
    gaps: Sequence[Gap],
    unit: int,
    end_at: datetime | None,
    others: Mapping[str, MarketCandles],
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Return the own market's grid and those of the other markets, all up to the same instant."""
    grid = prepare_grid(candles, gaps, unit, end_at)
    own_end_at = (grid.index[-1] + pd.Timedelta(minutes=unit)).to_pydatetime()
    grids = {
        market: prepare_grid(other.candles, other.gaps, unit, own_end_at)
        for market, other in others.items()
    }
    return grid, grids
