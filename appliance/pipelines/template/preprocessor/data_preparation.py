"""Candles onto a gapless grid of times."""

from __future__ import annotations

import pandas as pd

from appliance.pipelines.forecasting.loader.candle_loader import CandleWindow
from appliance.pipelines.forecasting.preprocessor.data_preparation import prepare_grid


def own_grid(window: CandleWindow, unit: int) -> pd.DataFrame:
    """Return one row per `unit` minutes of the own market.

    A minute without a trade repeats the last close with volume 0; rows in a gap hold NaN.
    """
    return prepare_grid(window.own.candles, window.own.gaps, unit, window.end_at)
