"""Kolmogorov-Smirnov and Wasserstein distances to a stored quantile grid; false discoveries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


def probabilities(points: int) -> Vector:
    """Return the probabilities of a quantile grid with `points` values, 0 and 1 included."""
    return np.linspace(0.0, 1.0, points)


def ks_statistic(ordered: Vector, grid: Vector) -> float:
    """Return sup |F_current - F_reference| at the reference's quantile grid.

    Args:
        ordered: the current sample, ascending.
        grid: the reference's quantiles at `probabilities(len(grid))`.

    Returns:
        The two-sample Kolmogorov-Smirnov distance, at most 1 / (len(grid) - 1) too small. Where values
        tie, both distribution functions are compared right after and right before the tie.
    """
    right = np.searchsorted(ordered, grid, side="right") / ordered.size
    left = np.searchsorted(ordered, grid, side="left") / ordered.size
    steps = grid.size - 1
    reference_right = (np.searchsorted(grid, grid, side="right") - 1) / steps
    reference_left = np.searchsorted(grid, grid, side="left") / steps
    return float(
        max(np.max(np.abs(right - reference_right)), np.max(np.abs(left - reference_left)))
    )


def wasserstein(ordered: Vector, grid: Vector, spread: float) -> float:
    """Return the 1-Wasserstein distance in units of `spread` (reference standard deviations).

    Source: W1 = integral over p of |Q_current(p) - Q_reference(p)| (Vallender 1974), by the trapezoidal
    rule at the grid's probabilities.
    """
    if spread <= 0.0:
        return 0.0
    position = probabilities(grid.size) * (ordered.size - 1)
    lower = position.astype(np.int64)
    upper = np.minimum(lower + 1, ordered.size - 1)
    weight = position - lower
    current = ordered[lower] * (1.0 - weight) + ordered[upper] * weight
    return float(np.trapezoid(np.abs(current - grid), dx=1.0 / (grid.size - 1)) / spread)


def rejected(p_values: Sequence[float], alpha: float) -> list[bool]:
    """Return which hypotheses the Benjamini-Hochberg procedure rejects at rate `alpha`.

    Source: Benjamini & Hochberg (1995): reject the k smallest, k the largest i with p_(i) <= i/m alpha.
    """
    if not p_values:
        return []
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    limits = alpha * np.arange(1, values.size + 1) / values.size
    passing = np.nonzero(values[order] <= limits)[0]
    result = np.zeros(values.size, dtype=bool)
    if passing.size:
        result[order[: passing[-1] + 1]] = True
    return [bool(value) for value in result]
