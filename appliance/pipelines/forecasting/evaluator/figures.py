"""Pictures of an evaluation, drawn without a display."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from appliance.pipelines.forecasting.evaluator.walk_forward import Evaluation
from appliance.pipelines.forecasting.preprocessor.labels import LabelledRows

Matrix = NDArray[np.float64]

FAN_ROWS = 240
"""Newest rows that the fan shows."""
SHOWN_FEATURES = 25


def holdout_figures(
    rows: LabelledRows, forecast: Matrix, levels: tuple[float, ...]
) -> dict[str, Figure]:
    """Return `calibration` and `forecast_fan` for rows the model was not trained on."""
    return {
        "calibration": _calibration(rows, forecast, levels),
        "forecast_fan": _fan(
            rows.slice(len(rows) - min(FAN_ROWS, len(rows))), forecast[-FAN_ROWS:]
        ),
    }


def importance_figure(effects: Mapping[str, float]) -> Figure:
    """Return how much of the loss hangs on each of the features that matter most."""
    largest = sorted(effects.items(), key=lambda item: item[1])[-SHOWN_FEATURES:]
    figure = _figure()
    axes = figure.subplots()
    axes.barh([name for name, _ in largest], [100.0 * effect for _, effect in largest])
    axes.set(xlabel="loss, % higher when the feature is shuffled", title="feature importance")
    axes.tick_params(axis="y", labelsize=7)
    return figure


def fold_figure(evaluation: Evaluation) -> Figure:
    """Return the skill of each walk-forward fold over both benchmarks."""
    figure = _figure()
    axes = figure.subplots()
    folds = np.arange(1, len(evaluation.folds) + 1)
    for offset, name in ((-0.2, "skill_static"), (0.2, "skill_ewma")):
        values = [100.0 * getattr(fold, name) for fold in evaluation.folds]
        axes.bar(folds + offset, values, width=0.4, label=name.replace("skill_", "over "))
    axes.axhline(0.0, color="black", linewidth=0.8)
    axes.set(
        xticks=folds, xlabel="fold, oldest first", ylabel="skill, %", title="walk-forward skill"
    )
    axes.legend()
    return figure


def _calibration(rows: LabelledRows, forecast: Matrix, levels: tuple[float, ...]) -> Figure:
    figure = _figure()
    axes = figure.subplots()
    observed = (rows.returns[:, None] <= forecast).mean(axis=0)
    axes.plot([0.0, 1.0], [0.0, 1.0], color="grey", linewidth=0.8, label="perfect")
    axes.plot(levels, observed, marker="o", label="held-out rows")
    axes.set(xlabel="quantile", ylabel="fraction at or below", title="calibration")
    axes.legend()
    return figure


def _fan(rows: LabelledRows, forecast: Matrix) -> Figure:
    figure = _figure()
    axes = figure.subplots()
    times = rows.times.tz_localize(None).to_numpy()
    price = rows.close[:, None] * np.exp(forecast)
    axes.fill_between(times, price[:, 0], price[:, 2], alpha=0.3, label="80 % interval")
    axes.plot(times, price[:, 1], linewidth=0.8, label="median")
    axes.plot(times, rows.close * np.exp(rows.returns), linewidth=1.0, label="outcome")
    axes.set(title="price one horizon after each candle (UTC)", ylabel="price")
    axes.legend()
    figure.autofmt_xdate()
    return figure


def _figure() -> Figure:
    figure = Figure(figsize=(8.0, 4.5), layout="tight")
    FigureCanvasAgg(figure)
    return figure
