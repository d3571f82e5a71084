"""Quantiles of a return relative to recent volatility, calibrated on rows they were not learnt from."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin

from appliance.errors import ConfigError
from appliance.pipelines.forecasting.trainer.boosted_quantiles import (
    BoostedQuantiles,
    LightgbmQuantiles,
)
from appliance.pipelines.forecasting.trainer.linear_quantiles import LinearQuantiles

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

SMALLEST_SPREAD = 0.05
"""Realised volatility below this part of the EWMA volatility says nothing more."""
DENSITY_STEP = 0.05
"""Half the range of levels over which a calibration quantile's density is measured."""


class QuantileForecaster(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts the quantiles of the log return `horizon` candles ahead.

    A row's scale is its EWMA volatility (column `scale_column`, times the square root of the horizon).
    Learners first correct it by a regression of the volatility that was realised over the coming horizon,
    which says far more about the spread of the return than the one return does, and then learn quantiles of
    the return over that scale. The kind `blend` averages the quantiles of the linear and the boosted
    learner (Lichtendahl, Grushka-Cockayne & Winkler 2013). The newest part of the training rows, a
    horizon away from the rest, calibrates: it shifts each quantile so that it is exceeded as often there
    as its name says (split-conformal: Romano, Patterson & Candes 2019, each tail by itself), less what the
    noise of that measurement explains (positive-part James-Stein). Then the learners learn all rows. Sorting
    keeps quantiles from crossing (Chernozhukov, Fernandez-Val & Galichon 2010).

    It also keeps the naive benchmarks of its training rows: static quantiles of the return, and
    quantiles of the return divided by EWMA volatility. All attributes are plain, so that skops can store it.

    Args:
        horizon: candles ahead; also the rows purged before the calibration rows.
        quantiles: levels, ascending.
        scale_column: feature with the volatility of one candle's log return.
        kind: gradient_boosting, linear, lightgbm or blend.
        scale_iter: trees of the volatility regression.
        scale_leaf_nodes: leaves per such tree.
        scale_leaf_rows: rows per such leaf.
        quantile_iter: trees per quantile.
        quantile_leaf_nodes: leaves per such tree.
        quantile_leaf_rows: rows per such leaf.
        learning_rate: shrinkage of the trees.
        l2_regularization: pull of leaf values towards zero.
        linear_penalty: of the linear quantile regressions, per row.
        calibration_fraction: newest part of the rows that calibrates.
        random_state: same rows, same model.
    """

    def __init__(
        self,
        horizon: int = 15,
        quantiles: tuple[float, ...] = (0.1, 0.5, 0.9),
        scale_column: str = "volatility",
        kind: str = "gradient_boosting",
        scale_iter: int = 80,
        scale_leaf_nodes: int = 8,
        scale_leaf_rows: int = 200,
        quantile_iter: int = 30,
        quantile_leaf_nodes: int = 4,
        quantile_leaf_rows: int = 400,
        learning_rate: float = 0.05,
        l2_regularization: float = 1.0,
        linear_penalty: float = 0.1,
        calibration_fraction: float = 0.25,
        random_state: int = 7,
    ) -> None:
        self.horizon = horizon
        self.quantiles = quantiles
        self.scale_column = scale_column
        self.kind = kind
        self.scale_iter = scale_iter
        self.scale_leaf_nodes = scale_leaf_nodes
        self.scale_leaf_rows = scale_leaf_rows
        self.quantile_iter = quantile_iter
        self.quantile_leaf_nodes = quantile_leaf_nodes
        self.quantile_leaf_rows = quantile_leaf_rows
        self.learning_rate = learning_rate
        self.l2_regularization = l2_regularization
        self.linear_penalty = linear_penalty
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
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        values, ewma = self._values(X), self._ewma_scale(X)
        scaled = returns / ewma
        correction = np.log(np.maximum(spread / ewma, SMALLEST_SPREAD))
        calibrating = len(returns) - int(len(returns) * self.calibration_fraction)
        learning = max(calibrating - self.horizon, 1)
        self._fit_learners(values[:learning], scaled[:learning], correction[:learning])
        self.shifts_ = self._conformal_shifts(values[calibrating:], scaled[calibrating:])
        self._fit_learners(values, scaled, correction)
        self.static_quantiles_ = np.quantile(returns, self.quantiles)
        self.ewma_quantiles_ = np.quantile(scaled, self.quantiles)
        return self

    def predict(self, X: pd.DataFrame) -> Matrix:  # noqa: N803
        """Return the quantiles of the log return, shape (rows, quantiles), ascending per row.

        Raises:
            ConfigError: a feature that the model has learnt from is missing.
        """
        raw = self._raw_quantiles(self._values(X))
        shifted = raw + np.asarray(self.shifts_) * _width(raw)[:, None]
        return np.asarray(np.sort(shifted, axis=1) * self._ewma_scale(X)[:, None])

    def predict_static(self, X: pd.DataFrame) -> Matrix:  # noqa: N803
        """Return the static benchmark's quantiles, the same for each row."""
        return np.tile(np.asarray(self.static_quantiles_, dtype=np.float64), (len(X), 1))

    def predict_ewma(self, X: pd.DataFrame) -> Matrix:  # noqa: N803
        """Return the EWMA benchmark's quantiles: scaled training quantiles times volatility."""
        return np.asarray(self._ewma_scale(X)[:, None] * self.ewma_quantiles_, dtype=np.float64)

    def _values(self, X: pd.DataFrame) -> Matrix:  # noqa: N803
        """The features in training order, the volatility as its logarithm: trees do not mind, lines do."""
        missing = [name for name in self.feature_names_in_ if name not in X.columns]
        if missing:
            raise ConfigError(
                f"the model expects {len(self.feature_names_in_)} features;"
                f" {', '.join(missing[:5])} {'is' if len(missing) == 1 else 'are'} not prepared",
                code="config.feature_schema",
                hint="train a model for the current config: appliance run train",
            )
        frame = X[list(self.feature_names_in_)]
        values = frame.to_numpy(dtype=np.float64, copy=True)
        column = frame.columns.get_loc(self.scale_column)
        values[:, column] = np.log(values[:, column])
        return values

    def _ewma_scale(self, X: pd.DataFrame) -> Vector:  # noqa: N803
        volatility = X[self.scale_column].to_numpy(dtype=np.float64)
        return np.asarray(volatility * np.sqrt(self.horizon), dtype=np.float64)

    def _fit_learners(self, values: Matrix, scaled: Vector, correction: Vector) -> None:
        self.learners_ = [
            learner.fit(values, scaled, correction) for learner in self._new_learners()
        ]

    def _raw_quantiles(self, values: Matrix) -> Matrix:
        parts = [np.sort(learner.predict(values), axis=1) for learner in self.learners_]
        return np.asarray(np.mean(parts, axis=0), dtype=np.float64)

    def _new_learners(self) -> list[Any]:
        linear = LinearQuantiles(self.quantiles, penalty=self.linear_penalty)
        boosted = LightgbmQuantiles if self.kind == "lightgbm" else BoostedQuantiles
        trees = boosted(
            self.quantiles,
            scale={
                "trees": self.scale_iter,
                "leaves": self.scale_leaf_nodes,
                "leaf_rows": self.scale_leaf_rows,
            },
            quantile={
                "trees": self.quantile_iter,
                "leaves": self.quantile_leaf_nodes,
                "leaf_rows": self.quantile_leaf_rows,
            },
            learning_rate=self.learning_rate,
            l2_regularization=self.l2_regularization,
            random_state=self.random_state,
        )
        chosen: dict[str, list[Any]] = {"linear": [linear], "blend": [linear, trees]}
        return chosen.get(self.kind, [trees])

    def _conformal_shifts(self, values: Matrix, scaled: Vector) -> Vector:
        """Return each quantile's shift in widths of the row's interval."""
        if scaled.size == 0:
            return np.zeros(len(self.quantiles))
        raw = self._raw_quantiles(values)
        excess = (scaled[:, None] - raw) / _width(raw)[:, None]
        independent = max(scaled.size / self.horizon, 1.0)
        return np.asarray(
            [
                _shrunk_shift(excess[:, i], level, independent)
                for i, level in enumerate(self.quantiles)
            ]
        )


def _width(quantiles: Matrix) -> Vector:
    return np.maximum(quantiles[:, -1] - quantiles[:, 0], SMALLEST_SPREAD)


def _shrunk_shift(excess: Vector, level: float, independent: float) -> float:
    """Return the conformal shift less its noise; overlapping outcomes count once per horizon."""
    rank = min((1.0 + 1.0 / excess.size) * level, 1.0)
    shift = float(np.quantile(excess, rank))
    low, high = np.quantile(excess, np.clip((level - DENSITY_STEP, level + DENSITY_STEP), 0.0, 1.0))
    noise = level * (1.0 - level) / independent * ((high - low) / (2.0 * DENSITY_STEP)) ** 2
    return shift * max(0.0, 1.0 - noise / shift**2) if shift else 0.0
