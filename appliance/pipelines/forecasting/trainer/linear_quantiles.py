"""Linear quantiles of a scaled return: ridge for the volatility, smoothed quantile regressions on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator
from sklearn.linear_model import Ridge

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

CLIP = 4.0
"""Standard deviations beyond which a feature says no more: a line must not run away."""
STEPS = 50
TOLERANCE = 1e-9


class LinearQuantiles(BaseEstimator):  # type: ignore[misc]
    """Predicts quantiles of the return divided by EWMA volatility, each linear in the features.

    A ridge regression gives the log of realised over EWMA volatility; quantiles of the return over that
    scale are linear in the features and the log itself.

    Args:
        quantiles: levels, ascending.
        ridge: penalty of the volatility regression, in rows.
        penalty: of the quantile regressions, per row.
    """

    def __init__(
        self,
        quantiles: tuple[float, ...] = (0.1, 0.5, 0.9),
        ridge: float = 100.0,
        penalty: float = 0.1,
    ) -> None:
        self.quantiles = quantiles
        self.ridge = ridge
        self.penalty = penalty

    def fit(self, values: Matrix, scaled: Vector, correction: Vector) -> Self:
        """Learn from features, scaled returns and the log of realised over EWMA volatility."""
        self.mean_ = values.mean(axis=0)
        self.deviation_ = values.std(axis=0) + 1e-12
        standard = self._standardise(values)
        self.scale_model_ = Ridge(alpha=self.ridge).fit(standard, correction)
        log_scale = self.scale_model_.predict(standard)
        outcomes = scaled / np.exp(log_scale)
        design = np.column_stack([np.ones(len(values)), standard, log_scale])
        self.coefficients_ = np.column_stack(
            [smoothed_quantile(design, outcomes, level, self.penalty) for level in self.quantiles]
        )
        return self

    def predict(self, values: Matrix) -> Matrix:
        """Return the quantiles, shape (rows, quantiles), not sorted."""
        standard = self._standardise(values)
        log_scale = self.scale_model_.predict(standard)
        design = np.column_stack([np.ones(len(values)), standard, log_scale])
        return np.asarray((design @ self.coefficients_) * np.exp(log_scale)[:, None])

    def _standardise(self, values: Matrix) -> Matrix:
        standard = (values - self.mean_) / self.deviation_
        return np.asarray(np.clip(standard, -CLIP, CLIP), dtype=np.float64)


def smoothed_quantile(design: Matrix, outcomes: Vector, level: float, penalty: float) -> Vector:
    """Return the coefficients of a quantile regression, its first column unpenalised.

    The pinball loss is smoothed with a logistic kernel, which makes it convex and twice differentiable, so
    that Newton's method solves it in a few steps where a linear program takes minutes (Fernandes, Guerre &
    Horta 2021; bandwidth of He, Pan, Tan & Zhou 2023).
    """
    rows, columns = design.shape
    rate = ((columns + np.log(rows)) / rows) ** 0.4
    width = max(0.05, rate) * max(float(outcomes.std()), 1e-12)
    ridge = np.full(columns, penalty * rows)
    ridge[0] = 0.0
    solution = np.zeros(columns)
    solution[0] = np.quantile(outcomes, level)

    def loss(candidate: Vector) -> float:
        error = outcomes - design @ candidate
        pinball = level * error + width * np.logaddexp(0.0, -error / width)
        return float(pinball.sum() + 0.5 * (ridge * candidate**2).sum())

    current = loss(solution)
    for _ in range(STEPS):
        below = expit(-(outcomes - design @ solution) / width)
        gradient = design.T @ (below - level) + ridge * solution
        curvature = (design * (below * (1.0 - below) / width)[:, None]).T @ design
        curvature[np.diag_indices(columns)] += ridge + 1e-8 * rows
        step = np.linalg.solve(curvature, gradient)
        length = _line_search(loss, solution, step, current, float(gradient @ step))
        solution = solution - length * step
        previous, current = current, loss(solution)
        if previous - current <= TOLERANCE * abs(previous):
            break
    return solution


def _line_search(
    loss: Callable[[Vector], float], start: Vector, step: Vector, current: float, slope: float
) -> float:
    """Return the longest of 1, 1/2, 1/4, ... that lowers the loss enough (Armijo), else 0."""
    length = 1.0
    while length > 1e-6:
        if loss(start - length * step) <= current - 1e-4 * length * slope:
            return length
        length /= 2.0
    return 0.0
