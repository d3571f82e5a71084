"""What each candle says, and the volatility by which it is measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from appliance.pipelines.forecasting.preprocessor.preprocess import Series, moving_volatility
from appliance.pipelines.template.configs.template_spec import (
    TRUNCATION,
    FeatureSpec,
)


def volatility_scale(series: Series, spec: FeatureSpec) -> NDArray[np.float64]:
    """Return the EWMA volatility of one candle's log return, shape (rows,)."""
    return moving_volatility(series.returns**2, spec.scale_half_life, TRUNCATION)
