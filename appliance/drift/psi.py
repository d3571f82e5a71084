"""Population stability index over bins that are fixed by the reference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

BINS = 10
"""Number of reference quantile bins."""

SMALLEST_FRACTION = 1e-4
"""Empty bins count as this fraction, so that the logarithm stays finite."""


def fixed_edges(reference: Vector, bins: int = BINS) -> Vector:
    """Return the inner bin edges: the reference's quantiles, duplicates removed.

    Args:
        reference: finite values, shape (rows,), sorted or not.
        bins: number of bins; a feature with few distinct values gets fewer.

    Returns:
        At most `bins - 1` strictly increasing edges.
    """
    probabilities = np.linspace(0.0, 1.0, bins + 1)[1:-1]
    return np.unique(np.quantile(reference, probabilities))


def fractions_of_sorted(ordered: Vector, edges: Vector) -> Vector:
    """Return the fraction of an ascending sample in each of the `len(edges) + 1` bins.

    A bin holds its upper edge.
    """
    below = np.searchsorted(ordered, edges, side="right")
    counts = np.diff(below, prepend=0, append=ordered.size)
    return np.asarray(counts / ordered.size, dtype=np.float64)


def psi(reference: Vector, current: Vector) -> float:
    """Return sum((c - r) * ln(c / r)) over the bins' fractions.

    Source: Siddiqi, Credit Risk Scorecards (2006), the symmetrised Kullback-Leibler divergence of two
    binned samples; by custom below 0.1 is stable and above 0.25 has shifted.
    """
    r = np.maximum(reference, SMALLEST_FRACTION)
    c = np.maximum(current, SMALLEST_FRACTION)
    return float(np.sum((c - r) * np.log(c / r)))
