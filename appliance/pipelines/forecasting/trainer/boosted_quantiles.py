"""Quantiles of a scaled return by gradient-boosted trees, of scikit-learn or of LightGBM."""

from __future__ import annotations

from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingRegressor

from appliance.errors import ConfigError

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


class _Regression(Protocol):
    """What both libraries' trained regressions can do."""

    def predict(self, values: Matrix) -> Vector:
        """Return one number per row."""


class BoostedQuantiles(BaseEstimator):  # type: ignore[misc]
    """Predicts quantiles of the return divided by EWMA volatility by scikit-learn's boosted trees.

    One regression gives the log of realised over EWMA volatility; one per level the quantile of the return
    over that scale. Deterministic for the same rows.

    Args:
        quantiles: levels, ascending.
        scale: parameters of the volatility regression: `trees`, `leaves`, `leaf_rows`.
        quantile: the same of each quantile regression.
        learning_rate: shrinkage.
        l2_regularization: pull of leaf values towards zero.
        random_state: seed.
    """

    def __init__(
        self,
        quantiles: tuple[float, ...],
        scale: dict[str, int],
        quantile: dict[str, int],
        learning_rate: float,
        l2_regularization: float,
        random_state: int,
    ) -> None:
        self.quantiles = quantiles
        self.scale = scale
        self.quantile = quantile
        self.learning_rate = learning_rate
        self.l2_regularization = l2_regularization
        self.random_state = random_state

    def fit(self, values: Matrix, scaled: Vector, correction: Vector) -> Self:
        """Learn from features, scaled returns and the log of realised over EWMA volatility."""
        self.scale_model_ = self._train(values, correction, self.scale, None)
        outcomes = scaled / np.exp(self._apply(self.scale_model_, values))
        self.quantile_models_ = [
            self._train(values, outcomes, self.quantile, level) for level in self.quantiles
        ]
        return self

    def predict(self, values: Matrix) -> Matrix:
        """Return the quantiles, shape (rows, quantiles), not sorted."""
        scale = np.exp(self._apply(self.scale_model_, values))
        columns = [self._apply(model, values) for model in self.quantile_models_]
        return np.asarray(np.column_stack(columns) * scale[:, None], dtype=np.float64)

    def _train(
        self, values: Matrix, target: Vector, size: dict[str, int], level: float | None
    ) -> Any:
        learner = HistGradientBoostingRegressor(
            loss="squared_error" if level is None else "quantile",
            quantile=level,
            max_iter=size["trees"],
            max_leaf_nodes=size["leaves"],
            min_samples_leaf=size["leaf_rows"],
            learning_rate=self.learning_rate,
            l2_regularization=self.l2_regularization,
            early_stopping=False,
            random_state=self.random_state,
        )
        return learner.fit(values, target)

    def _apply(self, model: Any, values: Matrix) -> Vector:
        regression: _Regression = model
        return np.asarray(regression.predict(values), dtype=np.float64)


class LightgbmQuantiles(BoostedQuantiles):
    """The same by LightGBM, an optional extra; regressions are kept in LightGBM's own text format."""

    def _train(
        self, values: Matrix, target: Vector, size: dict[str, int], level: float | None
    ) -> str:
        lightgbm = _import_lightgbm()
        parameters = {
            "objective": "regression" if level is None else "quantile",
            "alpha": 0.9 if level is None else level,
            "num_leaves": size["leaves"],
            "min_data_in_leaf": size["leaf_rows"],
            "learning_rate": self.learning_rate,
            "lambda_l2": self.l2_regularization,
            "seed": self.random_state,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }
        data = lightgbm.Dataset(values, target)
        booster = lightgbm.train(parameters, data, num_boost_round=size["trees"])
        return str(booster.model_to_string())

    def _apply(self, model: Any, values: Matrix) -> Vector:
        booster = _import_lightgbm().Booster(model_str=model)
        return np.asarray(booster.predict(values), dtype=np.float64)


def _import_lightgbm() -> Any:
    try:
        import lightgbm
    except ImportError as error:
        raise ConfigError(
            "learner.kind is lightgbm, but LightGBM is not installed",
            code="config.missing_extra",
            hint="uv sync --extra lightgbm, or set learner.kind = gradient_boosting",
        ) from error
    return lightgbm
