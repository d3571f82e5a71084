"""How far windows of a stable market wander from its own distribution, and what is farther; pure.

Markets are autocorrelated: a half day differs from its fortnight without any drift, and a test that takes
rows as independent calls nearly every window drifted. So the reference is cut in two, and windows of each
half are measured against the other, which is what monitoring does later with windows that came after. The
logarithms of such distances are nearly normal; a later window is improbable when it lies beyond their
prediction interval (Student t over as many windows as do not overlap).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from appliance.domain.drift import Histogram
from appliance.drift.psi import fixed_edges, fractions_of_sorted, psi
from appliance.drift.stat_tests import ks_statistic, probabilities, wasserstein

Vector = NDArray[np.float64]

STATISTICS = ("psi", "ks", "wasserstein")
"""Order of the distances in every triple here."""

HISTOGRAM_BINS = 14
"""Bins of the pictures of two distributions: what fits beside each other on a small screen."""

GRID_POINTS = 201
"""Stored quantiles per distribution."""

LEAST_WINDOWS = 3
"""Windows without overlap below which nothing is said."""

_MOST_WINDOWS = 64
# Of independent rows: mean distance times a power of the rows, that power, deviation of the logarithm.
_CHANCE = np.array([9.0, 0.87, 0.6])
_SHRINKING = np.array([1.0, 0.5, 0.5])
_CHANCE_DEVIATION = np.array([0.47, 0.3, 0.35])
_NOTHING = 0.25  # a distance below this part of chance means that nothing has happened


@dataclass(frozen=True, slots=True)
class Shape:
    """A distribution: fixed bins with their fractions, a grid of quantiles over [0, 1], its deviation."""

    std: float
    edges: tuple[float, ...]
    fractions: tuple[float, ...]
    quantiles: tuple[float, ...]

    @classmethod
    def of(cls, ordered: Vector) -> Shape:
        """Describe an ascending sample."""
        edges = fixed_edges(ordered)
        return cls(
            std=float(np.std(ordered)),
            edges=tuple(edges.tolist()),
            fractions=tuple(fractions_of_sorted(ordered, edges).tolist()),
            quantiles=tuple(np.quantile(ordered, probabilities(GRID_POINTS)).tolist()),
        )

    def histogram(self, ordered: Vector) -> Histogram:
        """Return this distribution and an ascending sample's in bins of equal width over both."""
        grid = np.asarray(self.quantiles)
        low, high = min(grid[1], ordered[0]), max(grid[-2], ordered[-1])
        wide = grid[-2] - grid[1]
        low, high = max(low, grid[1] - wide), min(high, grid[-2] + wide)
        if not high > low:
            low, high = low - 0.5, high + 0.5
        edges = np.linspace(low, high, HISTOGRAM_BINS + 1)
        below = np.interp(edges[1:-1], grid, probabilities(GRID_POINTS))
        counted = np.searchsorted(ordered, edges[1:-1], side="left") / ordered.size
        return Histogram(
            edges=tuple(edges.tolist()),
            reference=tuple(np.diff(below, prepend=0.0, append=1.0).tolist()),
            current=tuple(np.diff(counted, prepend=0.0, append=1.0).tolist()),
        )

    def outside(self, ordered: Vector) -> float:
        """Return the fraction of an ascending sample beyond one end, where 0.5 % of this one lies."""
        below = np.searchsorted(ordered, self.quantiles[1], side="left")
        above = ordered.size - np.searchsorted(ordered, self.quantiles[-2], side="right")
        return float(max(below, above) / ordered.size)

    def distances(self, ordered: Vector) -> Vector:
        """Return PSI, Kolmogorov-Smirnov and Wasserstein distance (in deviations) of an ascending sample."""
        grid = np.asarray(self.quantiles)
        fractions = fractions_of_sorted(ordered, np.asarray(self.edges))
        return np.array(
            [
                psi(np.asarray(self.fractions), fractions),
                ks_statistic(ordered, grid),
                wasserstein(ordered, grid, self.std),
            ]
        )


@dataclass(frozen=True, slots=True)
class Wandering:
    """Mean and deviation of the logarithms of the three distances, from `windows` without overlap.

    The reference is quiet when in most windows all values are the same, as of a feature that is nearly always
    0: how far it may go is then unknown.
    """

    windows: int = 0
    means: tuple[float, ...] = (0.0, 0.0, 0.0)
    stds: tuple[float, ...] = (0.0, 0.0, 0.0)
    is_quiet: bool = False

    @classmethod
    def of(cls, values: Vector, window_rows: int) -> Wandering:
        """Measure windows of `values`, shape (rows,), in time order; nothing when they are too few."""
        half = values.size // 2
        if half < window_rows:
            return cls()
        halves = (values[:half], values[half:])
        windows = [_windows(part, window_rows) for part in halves]
        logs = np.concatenate(
            [
                _logs(Shape.of(np.sort(part)), others)
                for part, others in zip(halves, windows[::-1], strict=True)
            ]
        )
        constant = [window[0] == window[-1] for part in windows for window in part]
        return cls(
            windows=min(2 * (half // window_rows), len(logs)),
            means=tuple(logs.mean(axis=0).tolist()),
            stds=tuple(np.maximum(logs.std(axis=0, ddof=1), _CHANCE_DEVIATION).tolist()),
            is_quiet=bool(np.mean(constant) > 0.5),
        )

    def p_values(self, distances: Vector, rows: int, window_rows: int) -> Vector | None:
        """Return how likely distances at least these are for a window of `rows` rows; None if unknown.

        A shorter window than `window_rows` wanders farther, at most as chance alone would. After a
        quiet reference nothing is called less likely than once in all windows seen and this one.
        """
        if self.windows < LEAST_WINDOWS:
            return None
        shorter = _SHRINKING * math.log(max(window_rows / rows, 1.0))
        excess = _log(distances, rows) - (np.asarray(self.means) + shorter)
        spread = np.asarray(self.stds) * math.sqrt(1.0 + 1.0 / self.windows)
        p_values = stdtr(self.windows - 1, -excess / spread)
        least = 1.0 / (self.windows + 1) if self.is_quiet else 0.0
        return np.asarray(np.maximum(p_values, least), dtype=np.float64)


def _windows(values: Vector, window_rows: int) -> list[Vector]:
    """Return windows of `values` that overlap by half at most, each in ascending order."""
    count = min(_MOST_WINDOWS, max(2, 2 * values.size // window_rows - 1))
    starts = np.unique(np.linspace(0, values.size - window_rows, count).astype(np.int64))
    return [np.sort(values[start : start + window_rows]) for start in starts]


def _logs(shape: Shape, windows: Sequence[Vector]) -> Vector:
    return _log(np.array([shape.distances(window) for window in windows]), windows[0].size)


def _log(distances: Vector, rows: int) -> Vector:
    """Return logarithms, bounded from below."""
    return np.asarray(np.log(np.maximum(distances, _least(rows))), dtype=np.float64)


def _least(rows: int) -> Vector:
    return np.asarray(_NOTHING * _CHANCE / rows**_SHRINKING, dtype=np.float64)
