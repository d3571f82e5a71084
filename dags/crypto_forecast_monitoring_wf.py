"""Compares the market with the model's reference profile, judges challengers, decides whether to retrain."""

from __future__ import annotations

from airflow.sdk import DAG

from appliance.domain.workflow import WorkflowKind
from appliance.pipelines.airflow_task import (
    dag_arguments,
    performance_asset,
    stage_task,
    train_trigger,
)

PROJECT = "crypto_forecast"

with DAG(
    "crypto_forecast_monitoring_wf",
    schedule=[performance_asset(PROJECT)],
    **dag_arguments(PROJECT, WorkflowKind.MONITORING),
) as dag:
    drift = stage_task(PROJECT, "measure_drift")
    trials = stage_task(PROJECT, "judge_trials")
    decide = stage_task(PROJECT, "decide_retrain", gates="request_training")
    train = train_trigger(PROJECT, "request_training", requested_by="decide_retrain")

    drift >> trials >> decide >> train
