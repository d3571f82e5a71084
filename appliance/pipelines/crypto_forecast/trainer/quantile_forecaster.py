"""Quantiles of a return relative to recent volatility, by gradient-boosted trees."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

SMALLEST_SPREAD = 0.05
"""Realised volatility below this part of the EWMA volatility says nothing more."""


class QuantileForecaster(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts the quantiles of the log return `horizon` candles ahead.

    A row's scale is its EWMA volatility (column `scale_column`, times the square root of the horizon)
    corrected by a regression of the volatility that was realised over the coming horizon, which says
    far more about the spread of the return than the one return does. One gradient-boosted
    quantile regression per level learns the return divided by that scale. The newest part of the training
    rows, a purge away from the rest, shifts each quantile so that it is exceeded as often
    there as its name says (split-conformal calibration: Romano, Patterson & Candes, Conformalized
    Quantile Regression, 2019, each tail by itself). Sorting keeps quantiles from crossing
    (Chernozhukov, Fernandez-Val & Galichon 2010).

    It also keeps the naive benchmarks of its training rows: static quantiles of the return, and
    quantiles of the return divided by EWMA volatility. All attributes are plain, so that skops can store it.

    Args:
        horizon: candles ahead; also the rows purged before the calibration rows.
        quantiles: levels, ascending.
        scale_column: feature with the volatility of one candle's log return.
        scale_iter, scale_leaf_nodes, scale_leaf_rows: trees of the volatility regression, their
            leaves, and rows per leaf.
        quantile_iter, quantile_leaf_nodes, quantile_leaf_rows: the same per quantile.
        learning_rate, l2_regularization, random_state: as in scikit-learn's
            HistGradientBoostingRegressor.
        calibration_fraction: newest part of the rows that calibrates.
    """

    def __init__(
        self,
        horizon: int = 15,
        quantiles: tuple[float, ...] = (0.1, 0.5, 0.9),
        scale_column: str = "volatility",
        scale_iter: int = 80,
        scale_leaf_nodes: int = 8,
        scale_leaf_rows: int = 200,
        quantile_iter: int = 30,
        quantile_leaf_nodes: int = 4,
        quantile_leaf_rows: int = 400,
        learning_rate: float = 0.05,
        l2_regularization: float = 1.0,
        calibration_fraction: float = 0.15,
        random_state: int = 7,
    ) -> None:
        self.horizon = horizon
        self.quantiles = quantiles
        self.scale_column = scale_column
        self.scale_iter = scale_iter
        self.scale_leaf_nodes = scale_leaf_nodes
        self.scale_leaf_rows = scale_leaf_rows
        self.quantile_iter = quantile_iter
        self.quantile_leaf_nodes = quantile_leaf_nodes
        self.quantile_leaf_rows = quantile_leaf_rows
        self.learning_rate = learning_rate
        self.l2_regularization = l2_regularization
        self.calibration_fraction = calibration_fraction
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: ArrayLike, realised: ArrayLike | None = None) -> Self:  # noqa: N803
        """Learn from rows in time order.

        Args:
            X: features, shape (rows, features).
            y: log returns `horizon` candles ahead, shape (rows,).
            realised: volatility of the log return over those candles, shape (rows,); without it the
                absolute return stands in.
        """
        returns = np.asarray(y, dtype=np.float64)
        spread = np.abs(returns) if realised is None else np.asarray(realised, dtype=np.float64)
        values = X.to_numpy(dtype=np.float64)
        rows = values.shape[0]
        calibrating = rows - int(rows * self.calibration_fraction)
        learning = max(calibrating - self.horizon, 1)
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        ewma = self._ewma_scale(X)
        correction = np.log(np.maximum(spread, SMALLEST_SPREAD * ewma) / ewma)
        self.scale_model_ = self._scale_learner().fit(values[:learning], correction[:learning])
        scaled = returns / self._scale(values, ewma)
        self.quantile_models_ = [
            self._quantile_learner(level).fit(values[:learning], scaled[:learning])
            for level in self.quantiles
        ]
        raw = self._scaled_quantiles(values[calibrating:])
        self.shifts_ = _conformal_shifts(scaled[calibrating:], raw, self.quantiles)
        self.static_quantiles_ = np.quantile(returns, self.quantiles)
        self.ewma_quantiles_ = np.quantile(returns / ewma, self.quantiles)
        return self

    def predict(self, X: pd.DataFrame) -> Matrix:  # noqa: N803
        """Return the quantiles of the log return, shape (rows, quantiles), ascending per row."""
        values = X[list(self.feature_names_in_)].to_numpy(dtype=np.float64)
        scaled = np.sort(self._scaled_quantiles(values) + self.shifts_, axis=1)
        scale = self._scale(values, self._ewma_scale(X))
        return np.asarray(scaled * scale[:, None], dtype=np.float64)

    def predict_static(self, X: pd.DataFrame) -> Matrix:  # noqa: N803
        """Return the static benchmark's quantiles, the same for each row."""
        return np.tile(np.asarray(self.static_quantiles_, dtype=np.float64), (len(X), 1))

    def predict_ewma(self, X: pd.DataFrame) -> Matrix:  # noqa: N803
        """Return the EWMA benchmark's quantiles: scaled training quantiles times volatility."""
        return np.asarray(self._ewma_scale(X)[:, None] * self.ewma_quantiles_, dtype=np.float64)

    def _ewma_scale(self, X: pd.DataFrame) -> Vector:  # noqa: N803
        volatility = X[self.scale_column].to_numpy(dtype=np.float64)
        return np.asarray(volatility * np.sqrt(self.horizon), dtype=np.float64)

    def _scale(self, values: Matrix, ewma: Vector) -> Vector:
        return np.asarray(ewma * np.exp(self.scale_model_.predict(values)), dtype=np.float64)

    def _scaled_quantiles(self, values: Matrix) -> Matrix:
        return np.column_stack([model.predict(values) for model in self.quantile_models_])

    def _scale_learner(self) -> HistGradientBoostingRegressor:
        return HistGradientBoostingRegressor(
            max_iter=self.scale_iter,
            max_leaf_nodes=self.scale_leaf_nodes,
            min_samples_leaf=self.scale_leaf_rows,
            **self._shared(),
        )

    def _quantile_learner(self, level: float) -> HistGradientBoostingRegressor:
        return HistGradientBoostingRegressor(
            loss="quantile",
            quantile=level,
            max_iter=self.quantile_iter,
            max_leaf_nodes=self.quantile_leaf_nodes,
            min_samples_leaf=self.quantile_leaf_rows,
            **self._shared(),
        )

    def _shared(self) -> dict[str, Any]:
        return {
            "learning_rate": self.learning_rate,
            "l2_regularization": self.l2_regularization,
            "early_stopping": False,
            "random_state": self.random_state,
        }


def _conformal_shifts(outcomes: Vector, raw: Matrix, levels: tuple[float, ...]) -> Vector:
    if outcomes.size == 0:
        return np.zeros(len(levels))
    excess = outcomes[:, None] - raw
    rank = np.minimum((1.0 + 1.0 / outcomes.size) * np.asarray(levels), 1.0)
    return np.asarray(
        [np.quantile(excess[:, i], rank[i]) for i in range(len(levels))], dtype=np.float64
    )
