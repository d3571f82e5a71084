"""A trained model on rows that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.pipelines.forecasting.evaluator.scores import Scores, score
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.preprocessor.labels import LabelledRows
from appliance.pipelines.forecasting.trainer.quantile_forecaster import QuantileForecaster

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Forecasts of the rows, shape (rows, 3), and their scores beside both naive benchmarks."""

    forecast: Matrix
    scores: Scores


def score_held_out(model: QuantileForecaster, rows: LabelledRows, spec: ForecastSpec) -> HeldOut:
    """Forecast and score rows that the model was not trained on."""
    x = rows.features
    forecast = model.predict(x)
    static, ewma = model.predict_static(x), model.predict_ewma(x)
    return HeldOut(forecast, score(rows.returns, forecast, static, ewma, spec.quantiles))
