"""Train workflow: judge the rows, fit and log a model, register it; and train a version again."""

from appliance.pipelines.forecasting.core.reproduce import reproduce_model
from appliance.pipelines.forecasting.core.soundness import check_rows
from appliance.pipelines.forecasting.core.train import register_model, train_model

__all__ = ["check_rows", "register_model", "reproduce_model", "train_model"]
