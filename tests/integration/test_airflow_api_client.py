"""The Airflow client over real HTTP: tokens, retries, errors with a next step, few calls."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from appliance.airflow_api.client import PAUSED, AirflowApi
from appliance.airflow_api.watch import WorkflowWatch
from appliance.domain.workflow import RunState, WorkflowKind
from appliance.errors import AirflowApiError, AirflowUnavailable
from tests.stubs.airflow import SECRET, AirflowStub
from tests.stubs.http_server import Reply

DATA, TRAIN = "shop_data_wf", "shop_train_wf"
LOCKED = Reply(500, {"detail": {"reason": "Database error"}})


@pytest.fixture
def airflow() -> Iterator[AirflowStub]:
    with AirflowStub() as stub:
        stub.add_dag(DATA, "* * * * *", "Every minute", "2026-03-01T12:30:00Z")
        stub.add_dag(TRAIN)
        yield stub


@pytest.fixture
def api(airflow: AirflowStub) -> Iterator[AirflowApi]:
    client = AirflowApi(airflow.url, SECRET)
    yield client
    client.close()


def test_a_run_is_created_with_its_parameters(airflow: AirflowStub, api: AirflowApi) -> None:
    run = api.trigger(TRAIN, {"params": {"rows": "10"}, "actor": "me"})
    assert run.state is RunState.QUEUED
    assert airflow.runs[-1]["conf"] == {"params": {"rows": "10"}, "actor": "me"}


def test_one_failure_of_the_server_is_retried_and_two_are_reported(
    airflow: AirflowStub, api: AirflowApi
) -> None:
    airflow.failures = [LOCKED]
    assert DATA in api.dags()
    airflow.failures = [LOCKED, LOCKED]
    with pytest.raises(AirflowUnavailable, match="Database error") as raised:
        api.dags()
    assert raised.value.hint


def test_a_trigger_answered_twice_makes_one_run(airflow: AirflowStub, api: AirflowApi) -> None:
    run = api.trigger(TRAIN, {}, run_id="once")
    again = api.trigger(TRAIN, {}, run_id="once")
    assert again.run_id == run.run_id
    assert len(airflow.runs) == 1


def test_an_unknown_dag_is_named(api: AirflowApi) -> None:
    with pytest.raises(AirflowApiError, match="shop_inference_wf") as raised:
        api.trigger("shop_inference_wf", {})
    assert "dags/shop_inference_wf.py" in raised.value.hint


def test_a_broken_dag_file_is_refused_with_its_error(airflow: AirflowStub, api: AirflowApi) -> None:
    airflow.import_errors = [{"filename": f"/d/{TRAIN}.py", "stack_trace": "x\nKeyError: 'y'"}]
    with pytest.raises(AirflowApiError, match="KeyError: 'y'") as raised:
        api.trigger(TRAIN, {})
    assert raised.value.code == "airflow.broken_dag"
    assert airflow.runs == []


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with AirflowStub() as gone:
        url = gone.url
    with pytest.raises(AirflowUnavailable) as raised:
        AirflowApi(url, SECRET).health()
    assert raised.value.hint


def test_another_secret_is_refused(airflow: AirflowStub) -> None:
    with pytest.raises(AirflowApiError, match="Invalid JWT"):
        AirflowApi(airflow.url, "another").dags()


def test_a_log_ends_with_its_last_lines(airflow: AirflowStub, api: AirflowApi) -> None:
    airflow.add_run(TRAIN, "manual__2026-03-01T12:00:00+00:00", "failed")
    run_id = airflow.runs[-1]["dag_run_id"]
    airflow.tasks[run_id] = [{"task_id": "fit", "state": "failed", "try_number": 2}]
    line = {"timestamp": "2026-03-01T12:00:00Z", "level": "info"}
    airflow.logs[run_id, "fit"] = [{**line, "event": f"line {n}"} for n in range(10)]
    assert api.task_log(TRAIN, run_id, "fit", 2)[-1].endswith("line 9")
    assert airflow.requests[-1].path.endswith("/logs/2")
    assert [task.task_id for task in api.dag_run(TRAIN, run_id).tasks] == ["fit"]


def test_a_task_that_has_not_started_has_no_log(airflow: AirflowStub, api: AirflowApi) -> None:
    airflow.add_run(TRAIN, "r", "queued")
    airflow.tasks["r"] = [{"task_id": "fit", "state": None, "try_number": 0}]
    assert api.task_log(TRAIN, "r", "fit") == []


def test_every_workflow_has_a_status_even_without_a_dag(
    airflow: AirflowStub, api: AirflowApi
) -> None:
    airflow.add_run(DATA, "r1", "success", minute=1)
    airflow.add_run(DATA, "r2", "failed", minute=2)
    airflow.import_errors = [{"filename": "/d/shop_monitoring_wf.py", "stack_trace": "boom"}]
    data, train, inference, monitoring = WorkflowWatch(api).statuses(["shop"])
    assert data.last_run is not None and data.last_run.state is RunState.FAILED
    assert data.last_success_at is not None
    assert data.schedule == "every minute"
    assert data.next_run_at is not None
    assert (train.last_run, train.schedule) == (None, "on request")
    assert (inference.kind, inference.schedule) == (WorkflowKind.INFERENCE, "")
    assert monitoring.import_error == "boom"


def test_a_rare_workflow_keeps_its_last_run_among_many_frequent_ones(
    airflow: AirflowStub, api: AirflowApi
) -> None:
    airflow.add_run(TRAIN, "t1", "running")
    watch = WorkflowWatch(api)
    watch.statuses(["shop"])
    for minute in range(1, 40):
        airflow.add_run(DATA, f"r{minute}", "success", minute)
    airflow.runs[0].update(state="success", end_date="2026-03-01T12:39:00Z")
    train = watch.statuses(["shop"])[1]
    assert train.last_run is not None and train.last_run.run_id == "t1"
    assert train.last_run.state is RunState.SUCCESS
    assert train.last_success_at is not None


def test_a_quiet_poll_is_one_call(airflow: AirflowStub, api: AirflowApi) -> None:
    watch = WorkflowWatch(api)
    watch.statuses(["shop"])
    before = len(airflow.requests)
    watch.statuses(["shop"])
    assert len(airflow.requests) == before + 1


def test_a_run_of_a_paused_dag_is_refused_until_it_is_unpaused(
    airflow: AirflowStub, api: AirflowApi
) -> None:
    airflow.dags[TRAIN]["is_paused"] = True
    with pytest.raises(AirflowApiError, match="shop_train_wf is paused") as raised:
        api.trigger(TRAIN, {})
    assert raised.value.code == PAUSED
    assert "appliance run train --project shop --unpause" in raised.value.hint
    assert airflow.runs == []
    api.unpause(TRAIN)
    assert api.trigger(TRAIN, {}).state is RunState.QUEUED
