"""Page-Hinkley: has the mean of a stream grown for good."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PageHinkley:
    """Detector of a lasting increase over a known mean.

    Source: Page, Continuous inspection schemes, Biometrika 41 (1954); Hinkley, Biometrika 58 (1971): alarm
    once m_t - min(m_1..m_t) exceeds `threshold`, where m_t is the sum of x_i - mean - tolerance.
    """

    mean: float
    tolerance: float
    threshold: float

    def scores(self, values: Vector) -> Vector:
        """Return the test quantity after each value, shape (rows,); never negative."""
        summed = np.cumsum(values - self.mean - self.tolerance)
        lowest = np.minimum(np.minimum.accumulate(summed), 0.0)
        return np.asarray(summed - lowest, dtype=np.float64)

    def alarm_at(self, values: Vector) -> int | None:
        """Return the position of the first alarm, None without one."""
        above = np.flatnonzero(self.scores(values) > self.threshold)
        return int(above[0]) if above.size else None
