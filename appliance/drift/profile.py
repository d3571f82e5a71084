"""Reference profiles: what a feature looked like when the model was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from appliance.drift.psi import fixed_edges, fractions_of_sorted, psi
from appliance.drift.stat_tests import effective_rows, ks_statistic, probabilities

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

GRID_POINTS = 201
"""Stored quantiles per feature."""

WINDOWS = 64
"""At most this many windows of the reference measure its own wandering."""


@dataclass(frozen=True, slots=True)
class FeatureProfile:
    """One feature's reference.

    `edges` and `fractions` are the fixed bins; `quantiles` a grid over [0, 1]; `psi_p90` and `psi_max`
    say how far windows of the reference itself wander from it, `effective_rows` how many independent
    rows such a window is worth (markets are autocorrelated: a day differs from its month
    without any drift).
    """

    count: int
    mean: float
    std: float
    edges: tuple[float, ...]
    fractions: tuple[float, ...]
    quantiles: tuple[float, ...]
    psi_p90: float
    psi_max: float
    effective_rows: float


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
    """Return the profile of `values`, shape (rows, features), rows in time order.

    Features without a finite value are left out.
    """
    features: dict[str, FeatureProfile] = {}
    for column, name in enumerate(names):
        finite = values[:, column][np.isfinite(values[:, column])]
        if finite.size:
            features[name] = _feature_profile(np.ascontiguousarray(finite), window_rows)
    return ReferenceProfile(window_rows, features)


def _feature_from_json(entry: Mapping[str, Any]) -> FeatureProfile:
    return FeatureProfile(
        count=int(entry["count"]),
        mean=float(entry["mean"]),
        std=float(entry["std"]),
        edges=tuple(map(float, entry["edges"])),
        fractions=tuple(map(float, entry["fractions"])),
        quantiles=tuple(map(float, entry["quantiles"])),
        psi_p90=float(entry["psi_p90"]),
        psi_max=float(entry["psi_max"]),
        effective_rows=float(entry["effective_rows"]),
    )


def _feature_profile(values: Vector, window_rows: int) -> FeatureProfile:
    ordered = np.sort(values)
    edges = fixed_edges(ordered)
    fractions = fractions_of_sorted(ordered, edges)
    grid = np.quantile(ordered, probabilities(GRID_POINTS))
    psis, distances = _wandering(values, edges, fractions, grid, window_rows)
    return FeatureProfile(
        count=int(values.size),
        mean=float(np.mean(values)),
        std=float(np.std(values)),
        edges=tuple(edges.tolist()),
        fractions=tuple(fractions.tolist()),
        quantiles=tuple(grid.tolist()),
        psi_p90=float(np.quantile(psis, 0.9)) if psis.size else 0.0,
        psi_max=float(np.max(psis)) if psis.size else 0.0,
        effective_rows=effective_rows(
            float(np.mean(distances)) if distances.size else 0.0, window_rows
        ),
    )


def _wandering(
    values: Vector, edges: Vector, fractions: Vector, grid: Vector, window_rows: int
) -> tuple[Vector, Vector]:
    last = values.size - window_rows
    if last < window_rows:
        return np.empty(0), np.empty(0)
    count = min(WINDOWS, max(2, 2 * values.size // window_rows))
    starts = np.linspace(0, last, count).astype(np.int64)
    psis, distances = np.empty(count), np.empty(count)
    for index, start in enumerate(starts):
        ordered = np.sort(values[start : start + window_rows])
        psis[index] = psi(fractions, fractions_of_sorted(ordered, edges))
        distances[index] = ks_statistic(ordered, grid)
    return psis, distances
