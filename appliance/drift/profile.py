"""Reference profiles: what a feature looked like when the model was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from appliance.drift.psi import fixed_edges, fractions_of_sorted, psi
from appliance.drift.stat_tests import (
    effective_rows,
    ks_statistic,
    probabilities,
    wasserstein,
)

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

GRID_POINTS = 201
"""Stored quantiles per feature."""

WINDOWS = 64
"""At most this many windows of the reference measure its own wandering."""


@dataclass(frozen=True, slots=True)
class FeatureProfile:
    """One feature's reference.

    `edges` and `fractions` are the fixed bins; `quantiles` a grid over [0, 1]; `psi_max` and
    `wasserstein_max` say how far windows of the reference itself wander from it, `effective_rows` how
    many independent rows such a window is worth (markets are autocorrelated: a day differs from its month
    without any drift). `missing_max` is the largest fraction of rows without a value in such a window.
    """

    count: int
    mean: float
    std: float
    edges: tuple[float, ...]
    fractions: tuple[float, ...]
    quantiles: tuple[float, ...]
    psi_max: float
    wasserstein_max: float
    effective_rows: float
    missing_max: float = 0.0


@dataclass(frozen=True, slots=True)
class ReferenceProfile:
    """All features of one model's training window; `window_rows` is the length of a drift window."""

    window_rows: int
    features: dict[str, FeatureProfile]

    def to_json(self) -> dict[str, object]:
        """Return a JSON-compatible form."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> ReferenceProfile:
        """Read what `to_json` returned, before or after a trip through JSON."""
        features = {
            str(name): _feature_from_json(entry) for name, entry in stored["features"].items()
        }
        return cls(int(stored["window_rows"]), features)


def build_profile(names: Sequence[str], values: Matrix, window_rows: int) -> ReferenceProfile:
    """Return the profile of `values`, shape (rows, features), one row a candle in time order.

    Candles without a value hold NaN. Features without a finite value are left out.
    """
    features: dict[str, FeatureProfile] = {}
    for column, name in enumerate(names):
        finite = values[:, column][np.isfinite(values[:, column])]
        if finite.size:
            missing = _missing_max(np.isfinite(values[:, column]), window_rows)
            profile = _feature_profile(np.ascontiguousarray(finite), window_rows)
            features[name] = replace(profile, missing_max=missing)
    return ReferenceProfile(window_rows, features)


def _feature_from_json(entry: Mapping[str, Any]) -> FeatureProfile:
    return FeatureProfile(
        count=int(entry["count"]),
        mean=float(entry["mean"]),
        std=float(entry["std"]),
        edges=tuple(map(float, entry["edges"])),
        fractions=tuple(map(float, entry["fractions"])),
        quantiles=tuple(map(float, entry["quantiles"])),
        psi_max=float(entry["psi_max"]),
        wasserstein_max=float(entry["wasserstein_max"]),
        effective_rows=float(entry["effective_rows"]),
        missing_max=float(entry.get("missing_max", 0.0)),
    )


def _missing_max(is_known: NDArray[np.bool_], window_rows: int) -> float:
    length = min(window_rows, is_known.size)
    known = np.cumsum(np.concatenate(([0], is_known)))
    return float(1.0 - (known[length:] - known[:-length]).min() / length)


def _feature_profile(values: Vector, window_rows: int) -> FeatureProfile:
    ordered = np.sort(values)
    edges = fixed_edges(ordered)
    fractions = fractions_of_sorted(ordered, edges)
    grid = np.quantile(ordered, probabilities(GRID_POINTS))
    std = float(np.std(values))
    wandering = _Wandering.of(values, window_rows, edges, fractions, grid, std)
    return FeatureProfile(
        count=int(values.size),
        mean=float(np.mean(values)),
        std=std,
        edges=tuple(edges.tolist()),
        fractions=tuple(fractions.tolist()),
        quantiles=tuple(grid.tolist()),
        psi_max=wandering.psi_max,
        wasserstein_max=wandering.wasserstein_max,
        effective_rows=effective_rows(wandering.ks_mean, window_rows),
    )


@dataclass(frozen=True, slots=True)
class _Wandering:
    """How far windows of the reference lie from all of it; zeros when it has too few rows."""

    psi_max: float = 0.0
    wasserstein_max: float = 0.0
    ks_mean: float = 0.0

    @classmethod
    def of(
        cls,
        values: Vector,
        window_rows: int,
        edges: Vector,
        fractions: Vector,
        grid: Vector,
        std: float,
    ) -> _Wandering:
        last = values.size - window_rows
        if last < window_rows:
            return cls()
        count = min(WINDOWS, max(2, 2 * values.size // window_rows))
        starts = np.linspace(0, last, count).astype(np.int64)
        windows = [np.sort(values[start : start + window_rows]) for start in starts]
        return cls(
            max(psi(fractions, fractions_of_sorted(window, edges)) for window in windows),
            max(wasserstein(window, grid, std) for window in windows),
            float(np.mean([ks_statistic(window, grid) for window in windows])),
        )
