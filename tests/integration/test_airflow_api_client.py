"""The Airflow client over real HTTP: tokens, retries, errors with a next step, few calls."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.airflow_api.client import PAUSED, AirflowApi
from appliance.airflow_api.watch import WorkflowWatch
from appliance.control.disabled_dags import DisabledDags
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


@pytest.mark.parametrize("overdue", [None, "2026-03-01T12:02:00Z"])
def test_a_scheduled_dag_whose_next_run_is_overdue_is_read_again(
    airflow: AirflowStub, api: AirflowApi, overdue: str | None
) -> None:
    airflow.add_run(DATA, "r1", "failed", minute=1)
    airflow.dags[DATA]["next_dagrun_run_after"] = overdue
    watch = WorkflowWatch(api)

    def asked() -> list[str]:
        watch.look_again()
        watch.statuses(["shop"])
        return [each.path for each in airflow.requests if "/parseDagFile/" in each.path]

    assert asked() == []
    (path,) = asked()
    assert path.endswith(f"file.of.{DATA}"), "those without a schedule have no next run either"
    airflow.add_run(DATA, "r2", "running", minute=2)
    assert len(asked()) == 1


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


def test_the_time_of_a_pause_is_airflow_s_and_the_same_to_everybody(
    airflow: AirflowStub, api: AirflowApi
) -> None:
    for is_paused in (True, False, True, True):
        airflow.change_dag(TRAIN, {"is_paused": is_paused})
    for _ in range(2):
        train = WorkflowWatch(api).statuses(["shop"])[1]
        assert train.paused_at == datetime(2026, 3, 1, 12, 2, tzinfo=UTC)


def test_a_pause_that_airflow_has_not_noted_began_when_it_was_seen(
    airflow: AirflowStub, api: AirflowApi
) -> None:
    airflow.dags[TRAIN]["is_paused"] = True
    watch = WorkflowWatch(api)
    first = watch.statuses(["shop"])[1].paused_at
    watch.look_again()
    assert first is not None and watch.statuses(["shop"])[1].paused_at == first


def test_the_dags_of_a_disabled_project_are_paused_and_their_runs_ended(
    airflow: AirflowStub, api: AirflowApi, tmp_path: Path
) -> None:
    for number, state in enumerate(("running", "queued", "success")):
        airflow.add_run(DATA, f"r{number}", state)
    file = tmp_path / "paused.json"
    dags = DisabledDags(api, file)
    assert not dags.keep_still([])
    assert airflow.requests == []
    assert dags.keep_still(["shop"])
    assert [airflow.dags[name]["is_paused"] for name in (DATA, TRAIN)] == [True, True]
    assert [run["state"] for run in airflow.runs] == ["failed", "failed", "success"]
    assert not any(run.has_failed for run in api.newest_runs([DATA], 10))
    airflow.dags[DATA]["is_paused"] = False
    assert dags.keep_still(["shop"])
    assert not dags.keep_still(["shop"])
    assert DisabledDags(api, file).keep_still([])
    parsed = [r.path.rpartition("/")[2] for r in airflow.requests if "parseDagFile" in r.path]
    assert parsed == [f"file.of.{name}" for name in (DATA, TRAIN)]
    assert [airflow.dags[name]["is_paused"] for name in (DATA, TRAIN)] == [False, False]


def test_a_dag_that_an_operator_paused_stays_paused_when_its_project_is_enabled(
    airflow: AirflowStub, api: AirflowApi, tmp_path: Path
) -> None:
    api.pause(TRAIN)
    dags = DisabledDags(api, tmp_path / "paused.json")
    dags.keep_still(["shop"])
    dags.keep_still([])
    assert [airflow.dags[name]["is_paused"] for name in (DATA, TRAIN)] == [False, True]


def test_pauses_are_resumed_after_an_answer_that_never_came(
    airflow: AirflowStub, api: AirflowApi, tmp_path: Path
) -> None:
    file = tmp_path / "paused.json"
    DisabledDags(api, file).keep_still(["shop"])
    airflow.failures = [LOCKED, LOCKED]
    with pytest.raises(AirflowUnavailable):
        DisabledDags(api, file).keep_still([])
    DisabledDags(api, file).keep_still([])
    assert not any(dag["is_paused"] for dag in airflow.dags.values())


def test_a_damaged_list_of_pauses_is_set_aside(api: AirflowApi, tmp_path: Path) -> None:
    file = tmp_path / "paused.json"
    file.write_text('{"no": "list"}')
    assert not DisabledDags(api, file).keep_still([])
    assert not file.exists()
