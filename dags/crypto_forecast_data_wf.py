"""Stores new candles, prepares their features and checks them, at each candle's close or every two minutes.

Without a production model it asks for the first training as soon as there are enough rows.
"""

from __future__ import annotations

from airflow.sdk import DAG

from appliance.domain.workflow import WorkflowKind
from appliance.pipelines.airflow_task import (
    dag_arguments,
    data_schedule,
    features_asset,
    stage_task,
    train_trigger,
)

PROJECT = "crypto_forecast"

with DAG(
    "crypto_forecast_data_wf",
    schedule=data_schedule(PROJECT),
    **dag_arguments(PROJECT, WorkflowKind.DATA),
) as dag:
    load = stage_task(PROJECT, "load_candles")
    prepare = stage_task(PROJECT, "prepare_features")
    check = stage_task(
        PROJECT, "check_quality", outlets=[features_asset(PROJECT)], gates="request_training"
    )
    train = train_trigger(PROJECT, "request_training", requested_by="check_quality")

    load >> prepare >> check >> train
