"""What a forecasting project makes its own; the rest of its workflows is shared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Generic, TypeVar

from appliance.pipelines.forecasting.forecast_spec import ForecastSpec

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from appliance.pipelines.forecasting.loader.candle_loader import CandleWindow
    from appliance.pipelines.forecasting.trainer.quantile_forecaster import QuantileForecaster
    from store.session import Session

SpecT = TypeVar("SpecT", bound=ForecastSpec)


@dataclass(frozen=True, slots=True)
class Recipe(Generic[SpecT]):
    """The functions of a project, each given its config; training and inference call the same ones."""

    feature_names: Callable[[SpecT], list[str]]
    """Names of the features in stored order."""
    load_window: Callable[[Session, SpecT, datetime, datetime], CandleWindow | None]
    """Candles that the rows of [first, end) depend on; None while a market has none."""
    compute_rows: Callable[[CandleWindow, SpecT], pd.DataFrame]
    """Candles to rows: candle_date_time_utc, close, then the features, only where all are known.

    A row depends on at most `features.lookback` candles that had closed when its own did, no matter
    in which window it is computed."""
    new_model: Callable[[SpecT], QuantileForecaster]
    """An untrained model."""
    own_metrics: Callable[[NDArray[np.float64], NDArray[np.float64]], dict[str, float]]
    """Metrics besides the shared ones, of outcomes (rows,) and their quantiles (rows, 3)."""
    unwatched: tuple[str, ...] = ()
    """Features whose distribution says nothing about the market, such as the calendar."""
