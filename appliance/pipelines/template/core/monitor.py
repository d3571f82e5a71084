"""Realised performance, drift, the evidence of trials, and the decision to retrain."""

from appliance.pipelines.forecasting.core.monitor import measure_drift, measure_performance
from appliance.pipelines.forecasting.core.retrain import decide_retrain
from appliance.pipelines.forecasting.core.trials import judge_trials

__all__ = ["decide_retrain", "judge_trials", "measure_drift", "measure_performance"]
