"""Losses of quantile forecasts and what follows from them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


def pinball_losses(outcomes: Vector, forecast: Matrix, levels: tuple[float, ...]) -> Vector:
    """Return each row's pinball loss, mean over the quantiles, shape (rows,).

    Source: Koenker & Bassett (1978): max(q * (y - f), (q - 1) * (y - f)); units are those of y.
    """
    excess = outcomes[:, None] - forecast
    level = np.asarray(levels, dtype=np.float64)
    return np.asarray(np.maximum(level * excess, (level - 1.0) * excess).mean(axis=1))


@dataclass(frozen=True, slots=True)
class Scores:
    """Evaluation over `rows` test rows.

    `pinball*` are mean losses of log returns; `skill_*` is 1 - pinball / benchmark's pinball;
    `coverage` the fraction of outcomes inside [lower, upper]; `below_*` the fraction at or
    below each quantile; `mae` and `rmse` of the median; `direction` the fraction of
    non-zero returns whose sign the median has. Skills and direction are NaN where nothing moved.
    """

    rows: int
    pinball: float
    pinball_static: float
    pinball_ewma: float
    skill_static: float
    skill_ewma: float
    coverage: float
    below_lower: float
    below_median: float
    below_upper: float
    mae: float
    rmse: float
    direction: float

    def metrics(self) -> dict[str, float]:
        """Return all values by name but those that cannot be judged."""
        values = {name: float(value) for name, value in asdict(self).items()}
        return {name: value for name, value in values.items() if math.isfinite(value)}


def score(
    outcomes: Vector, forecast: Matrix, static: Matrix, ewma: Matrix, levels: tuple[float, ...]
) -> Scores:
    """Score quantile forecasts, shape (rows, 3), beside both naive benchmarks."""
    loss, loss_static, loss_ewma = (
        float(pinball_losses(outcomes, f, levels).mean()) for f in (forecast, static, ewma)
    )
    below = (outcomes[:, None] <= forecast).mean(axis=0)
    is_inside = (outcomes >= forecast[:, 0]) & (outcomes <= forecast[:, 2])
    error = outcomes - forecast[:, 1]
    moved = outcomes != 0.0
    has_sign = np.sign(forecast[moved, 1]) == np.sign(outcomes[moved])
    return Scores(
        rows=int(outcomes.size),
        pinball=loss,
        pinball_static=loss_static,
        pinball_ewma=loss_ewma,
        skill_static=skill(loss, loss_static, has_moved=bool(moved.any())),
        skill_ewma=skill(loss, loss_ewma, has_moved=bool(moved.any())),
        coverage=float(is_inside.mean()),
        below_lower=float(below[0]),
        below_median=float(below[1]),
        below_upper=float(below[2]),
        mae=float(np.abs(error).mean()),
        rmse=float(np.sqrt((error**2).mean())),
        direction=float(has_sign.mean()) if has_sign.size else math.nan,
    )


def skill(loss: float, benchmark: float, *, has_moved: bool = True) -> float:
    """Return the fraction by which a loss beats a benchmark's.

    NaN where there is nothing to compare: no outcome has moved, or the benchmark has lost nothing.
    """
    return 1.0 - loss / benchmark if has_moved and benchmark > 0.0 else math.nan


def in_words(skill: object) -> str:
    """Return a skill in percent, or that it cannot be judged."""
    if not isinstance(skill, float) or not math.isfinite(skill):
        return "not judged (no price moved)"
    return f"{100 * skill:+.1f} %"
