"""Which stages, in which order, in which module of `core/`: the four workflows, and the live path."""

from __future__ import annotations

from appliance.domain.workflow import WorkflowKind
from appliance.pipelines.workflow import Stage, Workflow

WORKFLOWS = (
    Workflow(
        WorkflowKind.DATA,
        (
            Stage("load_candles", "load"),
            Stage("prepare_features", "preprocess"),
            Stage("check_quality", "preprocess"),
        ),
    ),
    Workflow(
        WorkflowKind.TRAIN,
        (
            Stage("check_rows", "train"),
            Stage("train_model", "train"),
            Stage("evaluate_model", "evaluate"),
            Stage("register_model", "train"),
            Stage("decide_promotion", "evaluate"),
        ),
    ),
    Workflow(
        WorkflowKind.INFERENCE,
        (
            Stage("forecast_candles", "inference"),
            Stage("join_outcomes", "inference"),
            Stage("measure_performance", "monitor"),
        ),
    ),
    Workflow(
        WorkflowKind.MONITORING,
        (
            Stage("measure_drift", "monitor"),
            Stage("judge_trials", "monitor"),
            Stage("decide_retrain", "monitor"),
        ),
    ),
)

LIVE = (Stage("prepare_newest", "preprocess"), Stage("forecast_candles", "inference"))
"""What the forecaster runs at each candle's close; the workflows do the same later where it did not."""
