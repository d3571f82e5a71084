"""An estimator that lives where the registry does not trust types."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator


class ForeignEstimator(BaseEstimator):  # type: ignore[misc]
    """Predicts zeros."""

    def predict(self, features: Any) -> Any:
        return np.zeros(len(features))
