"""Forecasts new candles with the production model and joins outcomes, after new features."""

from __future__ import annotations

from airflow.sdk import DAG

from appliance.domain.workflow import WorkflowKind
from appliance.pipelines.airflow_task import (
    dag_arguments,
    features_asset,
    performance_asset,
    stage_task,
)

PROJECT = "crypto_forecast"

with DAG(
    "crypto_forecast_inference_wf",
    schedule=[features_asset(PROJECT)],
    **dag_arguments(PROJECT, WorkflowKind.INFERENCE),
) as dag:
    forecast = stage_task(PROJECT, "forecast_candles")
    join = stage_task(PROJECT, "join_outcomes")
    measure = stage_task(PROJECT, "measure_performance", outlets=[performance_asset(PROJECT)])

    forecast >> join >> measure
