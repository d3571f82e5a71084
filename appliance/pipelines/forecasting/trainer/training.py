"""One training: which rows, which model, and the documents that go with it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from appliance.drift.profile import ReferenceProfile, build_profile
from appliance.errors import DataQualityError, InsufficientData
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.preprocessor.labels import LabelledRows
from appliance.pipelines.forecasting.trainer.quantile_forecaster import QuantileForecaster

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

FORECAST_MEDIAN = "forecast_median"
FORECAST_WIDTH = "forecast_width"
"""Names under which the forecasts themselves are watched for drift."""


@dataclass(frozen=True, slots=True)
class Split:
    """Rows to train on, and the newest rows, kept from every model for comparisons.

    The `horizon` rows between belong to neither: their outcomes overlap both.
    """

    training: LabelledRows
    comparison: LabelledRows


def split_rows(rows: LabelledRows, spec: ForecastSpec) -> Split:
    """Keep the newest rows for comparison; with little history a fifth instead of all of them.

    Raises:
        InsufficientData: nothing would be left to train on.
        DataQualityError: the price never moved: there is nothing to learn, and nothing to judge it by.
    """
    kept = min(spec.evaluation.comparison_rows, len(rows) // 5)
    training = rows.slice(0, len(rows) - kept - spec.horizon)
    if len(training) < 2 * spec.horizon:
        raise InsufficientData(
            f"{len(rows)} labelled rows leave {len(training)} to train on",
            hint="wait for more candles",
        )
    if not training.realised.any():
        raise DataQualityError(
            f"the price did not move in any of {len(training)} rows: nothing can be learnt from them",
            code="data.still",
            hint="wait for trades, or configure another market",
        )
    return Split(training, rows.slice(len(rows) - kept))


def new_model(spec: ForecastSpec) -> QuantileForecaster:
    """Return an untrained model as the project's recipe makes it of the config."""
    return spec.recipe.new_model(spec)


def fit_model(rows: LabelledRows, spec: ForecastSpec) -> QuantileForecaster:
    """Train on rows in time order."""
    return new_model(spec).fit(rows.features, rows.returns, rows.realised)


def content_hash(rows: LabelledRows) -> str:
    """Return a digest of times, features and outcomes: same digest, same training data."""
    digest = hashlib.sha256()
    digest.update(rows.times.asi8.tobytes())
    digest.update(np.ascontiguousarray(rows.features.to_numpy(np.float64)).tobytes())
    digest.update(np.ascontiguousarray(rows.returns).tobytes())
    return digest.hexdigest()


def watched_values(
    rows: LabelledRows, model: QuantileForecaster, spec: ForecastSpec
) -> tuple[list[str], Matrix]:
    """Return what drift is watched in: features but the unwatched, and the model's own forecasts."""
    names = [name for name in rows.features.columns if name not in spec.recipe.unwatched]
    forecast = model.predict(rows.features)
    values = np.column_stack(
        [
            rows.features[names].to_numpy(np.float64),
            forecast[:, 1],
            forecast[:, 2] - forecast[:, 0],
        ]
    )
    return [*names, FORECAST_MEDIAN, FORECAST_WIDTH], values


def reference_profile(
    rows: LabelledRows, model: QuantileForecaster, spec: ForecastSpec, market: Mapping[str, Vector]
) -> ReferenceProfile:
    """Return the profile that monitoring will compare with, its bins fixed now.

    `market` holds further values to watch, one for every candle from the first row to the last.
    """
    names, values = watched_values(rows, model, spec)
    grid = candle_grid(rows, spec)
    on_grid = np.full((len(grid), len(names)), np.nan)
    on_grid[grid.get_indexer(rows.times)] = values
    watched = np.column_stack([on_grid, *market.values()])
    return build_profile([*names, *market], watched, spec.monitoring.window_rows)


def candle_grid(rows: LabelledRows, spec: ForecastSpec) -> pd.DatetimeIndex:
    """Return the opening time of every candle from the first row to the last."""
    return pd.date_range(rows.times[0], rows.times[-1], freq=f"{spec.unit}min")
