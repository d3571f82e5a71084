"""Metrics of this project besides the shared ones; they appear in its MLflow runs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def own_metrics(outcomes: NDArray[np.float64], forecast: NDArray[np.float64]) -> dict[str, float]:
    """Return metrics of the walk-forward forecasts by name.

    Args:
        outcomes: log returns that came, shape (rows,).
        forecast: their quantiles, shape (rows, 3), ascending.
    """
    width = forecast[:, 2] - forecast[:, 0]
    is_above = outcomes > forecast[:, 2]
    return {"interval_width": float(width.mean()), "above_interval": float(is_above.mean())}
