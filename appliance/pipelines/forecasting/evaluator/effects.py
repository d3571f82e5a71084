"""How much of the loss hangs on a feature."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from appliance.pipelines.forecasting.evaluator.scores import pinball_losses
from appliance.pipelines.forecasting.preprocessor.labels import LabelledRows
from appliance.pipelines.forecasting.trainer.quantile_forecaster import QuantileForecaster

_SEED = 7


def loss_effects(
    model: QuantileForecaster, rows: LabelledRows, names: Sequence[str]
) -> dict[str, float]:
    """Return the fraction by which the mean loss grows when a feature's values change rows.

    Permutation importance (Breiman, Random Forests, Machine Learning 45, 2001) on rows that the model was
    not trained on; times the distance that the feature has moved, in standard deviations, it ranks drift by
    what it may do to the loss. Nothing is returned where the model has lost nothing: no price moved.
    """
    rng = np.random.default_rng(_SEED)

    def loss(features: object) -> float:
        forecast = model.predict(features)  # type: ignore[arg-type]
        return float(pinball_losses(rows.returns, forecast, model.quantiles).mean())

    usual = loss(rows.features)
    effects: dict[str, float] = {}
    for name in names if usual > 0.0 else ():
        shuffled = rng.permutation(rows.features[name].to_numpy())
        effects[name] = max(loss(rows.features.assign(**{name: shuffled})) / usual - 1.0, 0.0)
    return effects
