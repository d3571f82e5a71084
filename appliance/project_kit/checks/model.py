"""Checks of the model: forecasts, artifact without pickle, budgets, and whether drift would be seen."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import skops.io

from appliance.domain.drift import DriftVerdict
from appliance.drift.report import score_features
from appliance.errors import RegistryError
from appliance.pipelines.forecasting.core.monitor import drift_thresholds
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.preprocessor.labels import TIME, LabelledRows, label_rows
from appliance.pipelines.forecasting.trainer.quantile_forecaster import QuantileForecaster
from appliance.pipelines.forecasting.trainer.training import (
    FORECAST_MEDIAN,
    FORECAST_WIDTH,
    fit_model,
    reference_profile,
)
from appliance.project_kit.finding import Finding
from appliance.project_kit.sample import sample_window, shift_at
from appliance.registry.model_file import trusted_types

FEATURE_CPU_SECONDS = 20.0
"""For the rows of one training; the live path computes a row every candle."""
FEATURE_MEBIBYTES = 1_024
FIT_CPU_SECONDS = 120.0
"""A retrain has 60 s on two cores."""
SHIFTED = 8.0
"""Factor of volatility and volume in the seeded drift."""
_FEW_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class TrainedSample:
    """A config, the rows of one training, a model of them, and what both have cost."""

    name: str
    spec: ForecastSpec
    rows: LabelledRows
    model: QuantileForecaster
    feature_seconds: float
    feature_bytes: int
    fit_seconds: float


def train_sample(name: str, spec: ForecastSpec) -> TrainedSample:
    """Prepare the rows of one training and fit a model to them, measured in CPU seconds."""
    window = sample_window(spec, spec.training_rows + spec.horizon)
    began = time.process_time()
    prepared = spec.recipe.compute_rows(window, spec)
    feature_seconds = time.process_time() - began
    tracemalloc.start()
    spec.recipe.compute_rows(window, spec)
    feature_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    rows = label_rows(prepared, spec.unit, spec.horizon)
    began = time.process_time()
    model = fit_model(rows, spec)
    fit_seconds = time.process_time() - began
    return TrainedSample(name, spec, rows, model, feature_seconds, feature_bytes, fit_seconds)


def check_budget(sample: TrainedSample) -> Iterator[Finding]:
    """Features and training stay within their time and memory."""
    count = sample.spec.training_rows
    if sample.feature_seconds > FEATURE_CPU_SECONDS:
        yield _found(
            "budget",
            sample,
            f"{count} rows take {sample.feature_seconds:.0f} CPU seconds, {FEATURE_CPU_SECONDS:.0f} are"
            " allowed",
            "compute features on whole arrays instead of row by row",
        )
    used = sample.feature_bytes / 2**20
    if used > FEATURE_MEBIBYTES:
        yield _found(
            "budget",
            sample,
            f"{count} rows take {used:.0f} MiB, {FEATURE_MEBIBYTES} are allowed",
            "keep no matrix of windows; see windowed_mean for how to slide",
        )
    if sample.fit_seconds > FIT_CPU_SECONDS:
        yield _found(
            "budget",
            sample,
            f"a training takes {sample.fit_seconds:.0f} CPU seconds, {FIT_CPU_SECONDS:.0f} are allowed",
            "lower training_rows or the learner's size in configs/",
        )


def check_forecasts(sample: TrainedSample) -> Iterator[Finding]:
    """Quantiles of each row, finite and ascending; the same again after training again."""
    few = sample.rows.slice(max(0, len(sample.rows) - _FEW_ROWS))
    forecast = np.asarray(sample.model.predict(few.features))
    expected = (len(few), len(sample.spec.quantiles))
    if forecast.shape != expected:
        yield _found(
            "forecasts",
            sample,
            f"predict returns shape {forecast.shape}, not {expected}",
            "return one column per level of `quantiles`",
        )
        return
    if not np.isfinite(forecast).all() or (np.diff(forecast, axis=1) < 0.0).any():
        yield _found(
            "forecasts",
            sample,
            "quantiles cross or are not finite",
            "sort them per row, as QuantileForecaster does",
        )
    first, second = (
        np.asarray(fit_model(few, sample.spec).predict(few.features)) for _ in range(2)
    )
    if not np.array_equal(first, second):
        yield _found(
            "determinism",
            sample,
            "two trainings on the same rows forecast differently",
            "seed the learner (learner.random_state) in trainer/training.py",
        )


def check_artifact(sample: TrainedSample) -> Iterator[Finding]:
    """The model can be kept without pickle, and is the same when read again."""
    few = sample.rows.features.tail(_FEW_ROWS)
    try:
        kept = skops.io.dumps(sample.model)
        trusted = trusted_types(skops.io.get_untrusted_types(data=kept))
        again = skops.io.loads(kept, trusted=trusted)
    except RegistryError as error:
        yield _found("artifact", sample, error.message, error.hint)
        return
    except Exception as error:  # skops raises whatever the project's estimator does
        yield _found(
            "artifact",
            sample,
            f"the model cannot be kept without pickle: {type(error).__name__}: {error}",
            "let its attributes be arrays, numbers, texts and scikit-learn estimators",
        )
        return
    if not np.array_equal(again.predict(few), sample.model.predict(few)):
        yield _found(
            "artifact",
            sample,
            "the model forecasts differently once stored and read",
            "keep all that predict needs in attributes of the estimator",
        )


def check_drift(sample: TrainedSample) -> Iterator[Finding]:
    """A market eight times as volatile and as busy is seen in the features."""
    spec = sample.spec
    profile = reference_profile(sample.rows, sample.model, spec, {})
    begin = spec.training_rows + spec.horizon + spec.features.lookback(spec.unit)
    window = sample_window(
        spec,
        spec.monitoring.window_rows,
        shift=shift_at(begin, SHIFTED, SHIFTED),
        skip_rows=begin,
    )
    rows = spec.recipe.compute_rows(window, spec)
    scores = score_features(profile, _values(sample, rows), drift_thresholds(spec.monitoring))
    verdicts = {score.feature: score.verdict for score in scores}
    watched = {n: v for n, v in verdicts.items() if n not in (FORECAST_MEDIAN, FORECAST_WIDTH)}
    if DriftVerdict.DRIFTED in watched.values():
        return
    if not watched:
        words, hint = "no feature is watched", "leave features out of `unwatched` in core/recipe.py"
    elif set(watched.values()) == {DriftVerdict.INSUFFICIENT}:
        words = f"{len(rows)} rows are too few to judge"
        hint = "raise monitoring.window_rows, or lower monitoring.min_rows, in configs/"
    else:
        words = f"none of {len(watched)} features has drifted"
        hint = "add a feature of volatility or volume, or lower monitoring.psi_drifted in configs/"
    yield _found("drift", sample, f"volatility and volume times {SHIFTED:.0f}: {words}", hint)


def _values(
    sample: TrainedSample, rows: pd.DataFrame
) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    features = rows.drop(columns=[TIME, "close"])
    forecast = sample.model.predict(features)
    values = {str(name): features[name].to_numpy(np.float64) for name in features}
    values[FORECAST_MEDIAN] = forecast[:, 1]
    values[FORECAST_WIDTH] = forecast[:, 2] - forecast[:, 0]
    return values


def _found(check: str, sample: TrainedSample, message: str, hint: str) -> Finding:
    return Finding(check, f"config {sample.name}: {message}", hint)
