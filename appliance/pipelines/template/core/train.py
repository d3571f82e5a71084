"""Train workflow: fit and log a model, register it."""

from appliance.pipelines.forecasting.core.train import register_model, train_model

__all__ = ["register_model", "train_model"]
