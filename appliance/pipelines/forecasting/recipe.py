"""What a forecasting project makes its own; the rest of its workflows is shared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from appliance.pipelines.forecasting.forecast_spec import ForecastSpec

if TYPE_CHECKING:
    import pandas as pd

    from appliance.pipelines.forecasting.loader.candle_loader import CandleWindow
    from appliance.pipelines.forecasting.trainer.quantile_forecaster import QuantileForecaster

SpecT = TypeVar("SpecT", bound=ForecastSpec)


@dataclass(frozen=True, slots=True)
class Recipe(Generic[SpecT]):
    """Functions of a config; training and inference call the same ones.

    `feature_names` are the names in stored order. `compute_rows` makes of candles the rows
    (candle_date_time_utc, close, then the features) in which all is known; a row depends on candles
    that had closed when its own did, on at most `features.lookback` of them. `new_model` is untrained.
    `unwatched` are features whose distribution says nothing about the market, such as the calendar.
    """

    feature_names: Callable[[SpecT], list[str]]
    compute_rows: Callable[[CandleWindow, SpecT], pd.DataFrame]
    new_model: Callable[[SpecT], QuantileForecaster]
    unwatched: tuple[str, ...] = ()
