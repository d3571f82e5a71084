"""Train workflow: walk-forward evaluation, and the decision about production."""

from appliance.pipelines.forecasting.core.evaluate import decide_promotion, evaluate_model

__all__ = ["decide_promotion", "evaluate_model"]
