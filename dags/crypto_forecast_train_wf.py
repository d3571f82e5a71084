"""Judges the rows, trains a model, evaluates and registers it, and decides whether it goes into production.

Runs on request: by hand, for the first model, or when monitoring decides so.
"""

from __future__ import annotations

from airflow.sdk import DAG

from appliance.domain.workflow import WorkflowKind
from appliance.pipelines.airflow_task import dag_arguments, stage_task, train_schedule

PROJECT = "crypto_forecast"

with DAG(
    "crypto_forecast_train_wf",
    schedule=train_schedule(PROJECT),
    **dag_arguments(PROJECT, WorkflowKind.TRAIN),
) as dag:
    check = stage_task(PROJECT, "check_rows")
    train = stage_task(PROJECT, "train_model")
    evaluate = stage_task(PROJECT, "evaluate_model")
    register = stage_task(PROJECT, "register_model")
    promote = stage_task(PROJECT, "decide_promotion")

    check >> train >> evaluate >> register >> promote
