"""Checks of the features: schema, no look-ahead, the same alone as among others, the same again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.loader.candle_loader import CandleWindow
from appliance.pipelines.forecasting.preprocessor import soundness
from appliance.pipelines.forecasting.preprocessor.labels import TIME
from appliance.project_kit.finding import Finding
from appliance.project_kit.sample import sample_window

ROWS = 1_200
GAP_ROWS = 7
_ENGINEERING = "preprocessor/feature_engineering.py"


@dataclass(frozen=True, slots=True)
class FeatureSample:
    """A config, candles with a gap and intervals without a trade, and the rows computed of all of them."""

    name: str
    spec: ForecastSpec
    window: CandleWindow
    rows: pd.DataFrame


def sample_features(name: str, spec: ForecastSpec) -> FeatureSample:
    """Return what the checks of features look at."""
    window = sample_window(spec, ROWS + spec.features.lookback(spec.unit), gap_rows=GAP_ROWS)
    return FeatureSample(name, spec, window, spec.recipe.compute_rows(window, spec))


def check_schema(sample: FeatureSample) -> Iterator[Finding]:
    """The columns that `feature_names` says, finite numbers that change, rows on the candles' grid."""
    broken = list(_columns(sample))
    yield from broken or (*_values(sample), *_grid(sample))


def _columns(sample: FeatureSample) -> Iterator[Finding]:
    names = sample.spec.recipe.feature_names(sample.spec)
    expected, found = [TIME, "close", *names], list(sample.rows.columns)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        yield _schema(sample, f"feature_names has {', '.join(twice)} twice", "rename one")
    if found != expected:
        missing, extra = set(expected) - set(found), set(found) - set(expected)
        said = [f"lacks {', '.join(sorted(missing))}"] if missing else []
        said += [f"has {', '.join(sorted(extra))} besides"] if extra else []
        words = " and ".join(said) or "has them in another order"
        hint = f"make feature_names and engineer_features in {_ENGINEERING} name the same features"
        yield _schema(sample, f"compute_rows {words}, compared with feature_names", hint)
    elif sample.rows.empty:
        hint = "a row is kept where every feature is finite: look for one that never is"
        yield _schema(sample, "compute_rows gives no row at all", hint)


def _values(sample: FeatureSample) -> Iterator[Finding]:
    values = sample.rows.drop(columns=TIME)
    strange = [str(name) for name in values if values[name].dtype != np.float64]
    if strange:
        yield _schema(sample, f"{', '.join(strange)} is not float64", "return float64 arrays")
        return
    infinite = [str(name) for name in values if not np.isfinite(values[name]).all()]
    if infinite:
        words = f"{', '.join(infinite)} holds values that are not finite"
        yield _schema(sample, words, "leave such rows out, as known_rows does")
    constant = [
        str(name) for name in values if np.ptp(values[name].to_numpy()) <= soundness.ABSOLUTE
    ]
    if constant:
        words = f"{', '.join(constant)} is the same in all {len(values)} rows"
        yield _schema(sample, words, "leave it out, or correct it: it says nothing")


def _grid(sample: FeatureSample) -> Iterator[Finding]:
    times = pd.DatetimeIndex(sample.rows[TIME])
    if not times.is_monotonic_increasing or times.has_duplicates:
        yield _schema(sample, "rows are repeated or out of order", "return them in order of time")
    elif words := soundness.own_close(sample.window, sample.rows):
        yield _schema(sample, words, soundness.CLOSE_HINT)


def _schema(sample: FeatureSample, message: str, hint: str) -> Finding:
    return Finding("schema", f"config {sample.name}: {message}", hint)


def check_look_ahead(sample: FeatureSample) -> Iterator[Finding]:
    """Taking away the future changes no feature."""
    words = soundness.look_ahead(sample.window, sample.rows, sample.spec)
    yield from _found("look-ahead", sample, words, soundness.LOOK_AHEAD_HINT)


def check_parity(sample: FeatureSample) -> Iterator[Finding]:
    """A row computed alone, as for a forecast, is the one computed among all others, as for a training."""
    words = soundness.parity(sample.window, sample.rows, sample.spec)
    yield from _found("parity", sample, words, soundness.PARITY_HINT)


def check_determinism(sample: FeatureSample) -> Iterator[Finding]:
    """The same candles give the same rows, to the last bit."""
    words = soundness.determinism(sample.window, sample.rows, sample.spec)
    yield from _found("determinism", sample, words, soundness.DETERMINISM_HINT)


def _found(check: str, sample: FeatureSample, words: str, hint: str) -> Iterator[Finding]:
    if words:
        yield Finding(check, f"config {sample.name}: {words}", hint)
