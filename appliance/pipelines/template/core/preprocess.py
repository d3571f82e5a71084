"""Data workflow: prepared rows from candles, and whether they can be trusted."""

from appliance.pipelines.forecasting.core.preprocess import (
    check_quality,
    prepare_features,
    prepare_newest,
)

__all__ = ["check_quality", "prepare_features", "prepare_newest"]
