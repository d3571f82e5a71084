"""Whether prepared rows are what they claim: known at their time, the same alone, the same again.

Each check returns its first finding in words, with the feature, the row and both values; "" when it finds
nothing. A window needs rows with a full look-back besides those that are judged.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd

from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.loader.candle_loader import CandleWindow, cut_window
from appliance.pipelines.forecasting.preprocessor.labels import TIME

RELATIVE, ABSOLUTE = 1e-8, 1e-11
"""A value may differ by the rounding of another order of summation."""
_CUTS = (0.35, 0.6, 0.85)
_ENGINEERING = "preprocessor/feature_engineering.py"

LOOK_AHEAD_HINT = (
    f"compute it in {_ENGINEERING} of the candle and those before it only: no negative shift,"
    " no centred window, no mean or fit over the whole window"
)
PARITY_HINT = (
    "let features.lookback() in configs/ count every candle that a feature depends on, and end"
    " averages after a number of candles instead of letting them reach back to the window's start"
)
DETERMINISM_HINT = "use no clock and no unseeded random numbers, keep nothing between two calls"
CLOSE_HINT = (
    "a row stands for the candle that opens at its time; outcomes are measured from its close"
)


def look_ahead(window: CandleWindow, rows: pd.DataFrame, spec: ForecastSpec) -> str:
    """Compare the rows before a few instants with those computed without the candles after them.

    Two of the instants are one candle apart, so that one of them at least falls inside a wider candle.
    """
    times = rows[TIME]
    positions = [int(part * len(times)) for part in _CUTS]
    for position in (*positions, positions[-1] + 1):
        cut_at = times.iloc[position].to_pydatetime()
        known = spec.recipe.compute_rows(cut_window(window, end_at=cut_at), spec)
        known = known[known[TIME] >= times.iloc[0]]
        found = difference(rows[times < cut_at].reset_index(drop=True), known)
        if found:
            return f"without the candles from {cut_at:%Y-%m-%d %H:%M} UTC on, {found}"
    return ""


def parity(window: CandleWindow, rows: pd.DataFrame, spec: ForecastSpec) -> str:
    """Compare the newest row with the one computed from its look-back alone, as for a forecast."""
    lookback = spec.features.lookback(spec.unit)
    start_at = window.end_at - (lookback + 1) * timedelta(minutes=spec.unit)
    alone = spec.recipe.compute_rows(cut_window(window, start_at=start_at), spec)
    among = rows[rows[TIME] == rows[TIME].iloc[-1]].reset_index(drop=True)
    last = alone[alone[TIME] == among[TIME].iloc[0]].reset_index(drop=True)
    found = difference(among, last)
    return (
        f"computed from the {lookback} candles that lookback() asks for, {found}" if found else ""
    )


def determinism(window: CandleWindow, rows: pd.DataFrame, spec: ForecastSpec) -> str:
    """Compute the rows again and compare them to the last bit."""
    again = spec.recipe.compute_rows(window, spec)
    again = again[again[TIME] >= rows[TIME].iloc[0]].reset_index(drop=True)
    if again.equals(rows):
        return ""
    found = difference(rows, again, 0.0, 0.0) or "rows differ"
    return f"computed again from the same candles, {found}"


def own_close(window: CandleWindow, rows: pd.DataFrame) -> str:
    """Compare each row's close, which outcomes are measured from, with that of its candle."""
    closes = window.own.candles.set_index(TIME)["close"].reindex(pd.DatetimeIndex(rows[TIME]))
    own, candles = rows["close"].to_numpy(), closes.to_numpy()
    differs = np.flatnonzero(~np.isnan(candles) & (own != candles))
    if not differs.size:
        return ""
    at = differs[-1]
    return (
        f"close of the row of {rows[TIME].iloc[at]:%Y-%m-%d %H:%M} UTC is {own[at]:.10g}, its candle"
        f" closed at {candles[at]:.10g}"
    )


def difference(
    expected: pd.DataFrame,
    found: pd.DataFrame,
    relative: float = RELATIVE,
    absolute: float = ABSOLUTE,
) -> str:
    """Return the newest difference between rows in words, "" when there is none."""
    merged = expected.merge(found, on=TIME, how="outer", suffixes=("", "__found"), indicator=True)
    both = merged[merged["_merge"] == "both"]
    for name in expected.columns.drop(TIME):
        before, after = both[name].to_numpy(), both[f"{name}__found"].to_numpy()
        differs = ~np.isclose(before, after, rtol=relative, atol=absolute)
        if differs.any():
            index = int(np.flatnonzero(differs)[-1])
            return (
                f"feature {name} of the row of {both[TIME].iloc[index]:%Y-%m-%d %H:%M} UTC is"
                f" {after[index]:.6g} instead of {before[index]:.6g}"
            )
    lost = merged[merged["_merge"] != "both"]
    if lost.empty:
        return ""
    word = "is no longer there" if lost["_merge"].iloc[0] == "left_only" else "appears"
    return f"the row of {lost[TIME].iloc[0]:%Y-%m-%d %H:%M} UTC {word}"
