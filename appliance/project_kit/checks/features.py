"""Checks of the features: schema, no look-ahead, the same alone as among others, the same again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.loader.candle_loader import CandleWindow
from appliance.pipelines.forecasting.preprocessor.labels import TIME
from appliance.project_kit.finding import Finding
from appliance.project_kit.sample import cut_window, sample_window

ROWS = 1_200
GAP_ROWS = 7
CUTS = (0.35, 0.6, 0.85)
"""Where the future is cut off, as parts of the rows."""
RELATIVE, ABSOLUTE = 1e-8, 1e-11
"""A feature may differ by the rounding of another order of summation."""
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
    constant = [str(name) for name in values if np.ptp(values[name].to_numpy()) <= ABSOLUTE]
    if constant:
        words = f"{', '.join(constant)} is the same in all {len(values)} rows"
        yield _schema(sample, words, "leave it out, or correct it: it says nothing")


def _grid(sample: FeatureSample) -> Iterator[Finding]:
    times = pd.DatetimeIndex(sample.rows[TIME])
    closes = sample.window.own.candles.set_index(TIME)["close"].reindex(times)
    own = sample.rows["close"].to_numpy()
    is_traded = closes.notna().to_numpy()
    if not times.is_monotonic_increasing or times.has_duplicates:
        yield _schema(sample, "rows are repeated or out of order", "return them in order of time")
    elif not np.array_equal(own[is_traded], closes.to_numpy()[is_traded]):
        yield _schema(
            sample,
            "close is not the close of the row's own candle",
            "a row stands for the candle that opens at its time; outcomes are measured from its close",
        )


def _schema(sample: FeatureSample, message: str, hint: str) -> Finding:
    return Finding("schema", f"config {sample.name}: {message}", hint)


def check_look_ahead(sample: FeatureSample) -> Iterator[Finding]:
    """Taking away the future changes no feature."""
    times, spec = sample.rows[TIME], sample.spec
    for part in CUTS:
        cut_at = times.iloc[int(part * len(times))].to_pydatetime()
        known = spec.recipe.compute_rows(cut_window(sample.window, end_at=cut_at), spec)
        before = sample.rows[times < cut_at].reset_index(drop=True)
        difference = _difference(before, known)
        if difference:
            yield Finding(
                "look-ahead",
                f"config {sample.name}: without the candles from {cut_at:%Y-%m-%d %H:%M} on, {difference}",
                f"compute it in {_ENGINEERING} of the candle and those before it only: no negative shift,"
                " no centred window, no mean or fit over the whole window",
            )
            return


def check_parity(sample: FeatureSample) -> Iterator[Finding]:
    """A row computed alone, as for a forecast, is the one computed among all others, as for a training."""
    spec = sample.spec
    lookback = spec.features.lookback(spec.unit)
    width = timedelta(minutes=spec.unit)
    start_at = sample.window.end_at - (lookback + 1) * width
    alone = spec.recipe.compute_rows(cut_window(sample.window, start_at=start_at), spec)
    among = sample.rows[sample.rows[TIME] == sample.rows[TIME].iloc[-1]].reset_index(drop=True)
    last = alone[alone[TIME] == among[TIME].iloc[0]].reset_index(drop=True)
    difference = _difference(among, last)
    if difference:
        yield Finding(
            "parity",
            f"config {sample.name}: computed from the {lookback} candles that lookback() asks for,"
            f" {difference}",
            "let features.lookback() in configs/ count every candle that a feature depends on, and end"
            " averages after a number of candles instead of letting them reach back to the window's start",
        )


def check_determinism(sample: FeatureSample) -> Iterator[Finding]:
    """The same candles give the same rows, to the last bit."""
    again = sample.spec.recipe.compute_rows(sample.window, sample.spec)
    if not again.equals(sample.rows):
        difference = _difference(sample.rows, again, 0.0, 0.0) or "rows differ"
        yield Finding(
            "determinism",
            f"config {sample.name}: computed again from the same candles, {difference}",
            "use no clock and no unseeded random numbers, keep nothing between two calls",
        )


def _difference(
    expected: pd.DataFrame,
    found: pd.DataFrame,
    relative: float = RELATIVE,
    absolute: float = ABSOLUTE,
) -> str:
    """Return the first difference in words, "" when there is none."""
    merged = expected.merge(found, on=TIME, how="outer", suffixes=("", "__found"), indicator=True)
    both = merged[merged["_merge"] == "both"]
    for name in expected.columns.drop(TIME):
        before, after = both[name].to_numpy(), both[f"{name}__found"].to_numpy()
        differs = ~np.isclose(before, after, rtol=relative, atol=absolute)
        if differs.any():
            index = int(np.flatnonzero(differs)[-1])
            return (
                f"feature {name} of the row of {both[TIME].iloc[index]:%Y-%m-%d %H:%M} is"
                f" {after[index]:.6g} instead of {before[index]:.6g}"
            )
    lost = merged[merged["_merge"] != "both"]
    if lost.empty:
        return ""
    word = "is no longer there" if lost["_merge"].iloc[0] == "left_only" else "appears"
    return f"the row of {lost[TIME].iloc[0]:%Y-%m-%d %H:%M} {word}"
