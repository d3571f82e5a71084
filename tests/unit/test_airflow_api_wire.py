"""Airflow's JSON becomes our types; what we do not know becomes UNKNOWN, never an error."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from appliance.airflow_api import wire
from appliance.domain.origin import ORIGIN, Origin, Through, origin_to_json
from appliance.domain.workflow import RunState, WorkflowKind
from tests.builders import KIM


def info(summary: str, description: str = "") -> wire.DagInfo:
    return wire.DagInfo("d", False, None, summary, description)


@pytest.mark.parametrize(
    ("kind", "summary", "description", "words"),
    [
        (WorkflowKind.DATA, "* * * * *", "Every minute", "every minute"),
        (WorkflowKind.INFERENCE, "Asset", "Triggered by assets", "after data"),
        (WorkflowKind.MONITORING, "Asset", "Triggered by assets", "after inference"),
        (WorkflowKind.TRAIN, "None", "Never, external triggers only", "on request"),
        (WorkflowKind.TRAIN, "", "", "on request"),
        (WorkflowKind.TRAIN, "0 3 * * 1", "At 03:00, only on Monday", "at 03:00, only on Monday"),
    ],
)
def test_a_schedule_reads_as_words(
    kind: WorkflowKind, summary: str, description: str, words: str
) -> None:
    assert wire.schedule_words(kind, info(summary, description)) == words


@pytest.mark.parametrize(
    ("sent", "state"),
    [("success", RunState.SUCCESS), (None, RunState.NONE), ("invented_later", RunState.UNKNOWN)],
)
def test_a_state_we_do_not_know_is_unknown(sent: str | None, state: RunState) -> None:
    body = {"dag_runs": [{"dag_id": "d", "dag_run_id": "r", "state": sent, "future_field": 1}]}
    (run,) = wire.read_runs(body)
    assert run.state is state


@pytest.mark.parametrize(
    ("sent", "cause"),
    [
        ({}, None),
        ({"conf": {"rows": "10"}, "triggering_user_name": None}, None),
        (
            {"conf": {ORIGIN: origin_to_json(KIM)}, "triggering_user_name": "appliance"},
            KIM,
        ),
        ({"conf": None, "triggering_user_name": "lee"}, Origin("lee", Through.AIRFLOW_PAGE)),
        ({"conf": {ORIGIN: "nonsense"}}, None),
    ],
)
def test_a_run_names_who_asked_for_it(sent: dict[str, object], cause: Origin | None) -> None:
    run = wire.read_run({"dag_id": "a", "dag_run_id": "r", "state": "success", **sent})
    assert run.cause == cause


def test_tasks_come_in_the_order_in_which_they_started_and_waiting_ones_last() -> None:
    body = {
        "task_instances": [
            {"task_id": "waits", "state": None},
            {"task_id": "second", "state": "running", "start_date": "2026-03-01T12:00:02Z"},
            {"task_id": "first", "state": "success", "start_date": "2026-03-01T12:00:01Z"},
        ]
    }
    assert [task.task_id for task in wire.read_tasks(body)] == ["first", "second", "waits"]


def test_a_log_keeps_messages_and_the_exception_and_drops_airflows_grouping() -> None:
    entry = {"timestamp": "2026-03-01T12:00:01.5Z", "level": "error", "event": "Task failed"}
    frames = [
        {"filename": "/v/site-packages/airflow/sdk/x.py", "lineno": 1, "name": "run"},
        {"filename": "/home/dags/d.py", "lineno": 8, "name": "fit"},
    ]
    detail = {"exc_type": "RuntimeError", "exc_value": "boom", "frames": frames}
    body = {"content": [{"event": "::group::Pre Execute"}, {**entry, "error_detail": [detail]}]}
    assert wire.read_log(body) == [
        "2026-03-01T12:00:01Z error   Task failed",
        "    /home/dags/d.py:8 in fit",
        "  RuntimeError: boom",
    ]


def test_health_is_read_from_each_components_heartbeat() -> None:
    body = {
        "metadatabase": {"status": "healthy"},
        "scheduler": {"status": "unhealthy", "latest_scheduler_heartbeat": "2026-03-01T12:00:00Z"},
        "triggerer": {"status": None, "latest_triggerer_heartbeat": None},
    }
    health = {component.name: component for component in wire.read_health(body)}
    assert health["metadatabase"].is_healthy
    assert not health["scheduler"].is_healthy
    assert health["scheduler"].heartbeat_at is not None
    assert health["triggerer"].status is None


def test_a_broken_file_names_the_dag_it_would_define() -> None:
    trace = "Traceback\nModuleNotFoundError: No module named 'x'"
    body = {"import_errors": [{"filename": "/d/p_train_wf.py", "stack_trace": trace}]}
    (failure,) = wire.read_import_errors(body)
    assert failure.dag_id == "p_train_wf"
    assert failure.reason == "ModuleNotFoundError: No module named 'x'"


def test_a_task_is_unstarted_when_a_try_ended_that_never_began_or_waits_too_long() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def task(task_id: str, state: str, start: str | None, end: str | None, queued: str) -> Any:
        names = {"dag_id": "p_data_wf", "dag_run_id": "r1", "task_id": task_id, "state": state}
        return {**names, "start_date": start, "end_date": end, "queued_when": queued}

    at = "2026-01-01T11:59:30Z"
    body = {
        "task_instances": [
            task("ran_and_failed", "failed", at, at, at),
            task("never_began", "failed", None, at, at),
            task("tries_again", "queued", None, at, at),
            task("just_queued", "queued", None, None, "2026-01-01T12:00:30Z"),
            task("waits", "queued", None, None, at),
        ]
    }
    found = wire.read_unstarted(body, queued_before=noon)
    assert [(each.task_id, each.state) for each in found] == [
        ("never_began", RunState.FAILED),
        ("tries_again", RunState.UP_FOR_RETRY),
        ("waits", RunState.QUEUED),
    ]
