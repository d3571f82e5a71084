"""Other hands on production: two operators at once, MLflow's page, Airflow's page, the model's files.

The tests share one appliance and run in the order in which they stand.
"""

from __future__ import annotations

import getpass
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import skops.io

from appliance.airflow_api.client import AirflowApi
from appliance.cli.exit_code import ExitCode
from appliance.config.ports import service_url
from appliance.config.proven_http import ProvenTransport
from appliance.config.secret import Secret, read_secret
from appliance.domain.event import EventKind
from appliance.domain.forecast import Forecast
from appliance.domain.model_version import ModelVersion
from appliance.domain.workflow import RunState, WorkflowKind, dag_id
from appliance.pipelines.forecasting.trainer.quantile_forecaster import QuantileForecaster
from appliance.registry.credentials import HomeCredentials
from tests.builders import KIM
from tests.e2e.conftest import Running, new_home
from tests.waiting import wait_until

pytestmark = pytest.mark.long

PROJECT = "crypto_forecast"
MONITORING = dag_id(PROJECT, WorkflowKind.MONITORING)
DATA = dag_id(PROJECT, WorkflowKind.DATA)
INFERENCE = dag_id(PROJECT, WorkflowKind.INFERENCE)
QUESTION = "[y/N]"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An appliance with three versions, of which the first is in production."""
    appliance = new_home(tmp_path_factory.mktemp("hands") / "home")
    try:
        done = appliance.cli("up")
        assert done.returncode == 0, done.stderr
        control = appliance.control
        wait_until(lambda: control.status().projects[0].champion, 400, "a first champion")
        for _ in range(2):
            assert appliance.cli("run", "train").returncode == ExitCode.DONE
        yield appliance
    finally:
        assert appliance.cli("down").returncode == 0


@pytest.fixture(scope="module")
def airflow(running: Running) -> Iterator[httpx.Client]:
    """Airflow's REST API, as its own page calls it."""
    secret = read_secret(running.paths, Secret.AIRFLOW_JWT_SECRET)
    url = service_url(running.paths, "airflow")
    api = AirflowApi(url, secret, ProvenTransport(running.paths, "airflow"))
    token = api._tokens.token()
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"{url}/api/v2", headers=headers, timeout=30) as client:
        yield client
    api.close()


def in_mlflow(running: Running, method: str, path: str, **body: str) -> None:
    """Do something in MLflow's page."""
    url = f"{service_url(running.paths, 'mlflow')}/api/2.0/mlflow{path}"
    httpx.request(method, url, json=body, auth=HomeCredentials(running.paths)).raise_for_status()


def champion(running: Running) -> int:
    return next((m.version for m in running.control.models(PROJECT) if m.is_champion), 0)


def version(running: Running, number: int) -> ModelVersion:
    return next(m for m in running.control.models(PROJECT) if m.version == number)


def summaries(running: Running, kind: EventKind) -> list[str]:
    found = running.json("events", "-n", "1000", "--kind", kind.value)
    return [str(event["summary"]) for event in found]


def changes(running: Running, *words: str) -> list[str]:
    """Return the warnings about MLflow's page that say all the words."""
    said = summaries(running, EventKind.REGISTRY_CHANGED)
    return [summary for summary in said if all(word in summary for word in words)]


def newest_forecast(running: Running) -> Forecast:
    return max(running.control.forecasts(PROJECT, 5), key=lambda made: made.candle_date_time_utc)


def run(running: Running, *kinds: str) -> None:
    for kind in kinds:
        done = running.cli("run", kind)
        assert done.returncode == ExitCode.DONE, done.stderr


def ask(running: Running, *words: str) -> subprocess.Popen[str]:
    """Start a command and return it once it has asked its question."""
    process = subprocess.Popen(
        [sys.executable, "-m", "appliance", *words],
        env=running.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = ""
    while not said.endswith(QUESTION):
        character = process.stderr.read(1)
        assert character, said
        said += character
    return process


def test_what_was_asked_before_somebody_else_decided_is_refused_with_who_it_was(
    running: Running,
) -> None:
    asked = ask(running, "models", "promote", "3")
    assert running.control.promote(PROJECT, 2, 1, KIM).version == 2
    _, said = asked.communicate("y\n", timeout=60)
    assert asked.returncode == ExitCode.FAILED
    assert "nothing was changed" in said and "moved it at" in said
    assert champion(running) == 2

    asked = ask(running, "models", "rollback")
    assert running.control.promote(PROJECT, 3, 2, KIM).version == 3
    _, said = asked.communicate("y\n", timeout=60)
    assert asked.returncode == ExitCode.FAILED
    assert "nothing was changed" in said
    assert re.search(rf"\b{getpass.getuser()}\b.* moved it at", said)
    assert champion(running) == 3


def test_a_repeated_rollback_brings_the_deposed_model_not_back(running: Running) -> None:
    assert running.cli("models", "rollback", "-y").returncode == ExitCode.DONE
    assert champion(running) == 2
    again = running.cli("models", "rollback", "-y")
    assert again.returncode == ExitCode.FAILED
    assert "no previous champion" in again.stderr
    assert running.cli("models", "rollback", "2", "-y").returncode == ExitCode.DONE
    assert champion(running) == 2
    assert len(summaries(running, EventKind.ROLLED_BACK)) == 1


def test_of_two_decisions_at_once_each_is_on_what_it_saw(running: Running) -> None:
    moved = len(summaries(running, EventKind.PROMOTED))
    commands = [
        subprocess.Popen(
            [sys.executable, "-m", "appliance", "models", "promote", number, "-y"],
            env=running.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for number in ("1", "3")
    ]
    codes = [command.wait(60) for command in commands]
    assert ExitCode.DONE in codes
    promoted = summaries(running, EventKind.PROMOTED)[moved:]
    assert len(promoted) == codes.count(ExitCode.DONE)
    assert promoted[-1].startswith(f"version {champion(running)} promoted by {getpass.getuser()}")


def test_a_rejected_challenger_is_compared_no_more(running: Running) -> None:
    run(running, "train")
    newest = max(model.version for model in running.control.models(PROJECT))
    assert running.cli("models", "reject", str(newest), "-y").returncode == ExitCode.DONE
    assert version(running, newest).tags["gate.state"] == "rejected"
    trials = running.control.verdicts(PROJECT, champion(running), newest)
    assert [trial.state for trial in trials] == ["rejected"]


def test_runs_deleted_in_airflow_leave_the_workflow_running(
    running: Running, airflow: httpx.Client
) -> None:
    control = running.control
    wait_until(lambda: control.dag_runs(PROJECT, WorkflowKind.INFERENCE, 1), 120, "a run")
    for entry in airflow.get(f"/dags/{INFERENCE}/dagRuns").json()["dag_runs"]:
        if entry["state"] == RunState.SUCCESS:
            airflow.delete(f"/dags/{INFERENCE}/dagRuns/{entry['dag_run_id']}").raise_for_status()
    airflow.delete(f"/dags/{MONITORING}").raise_for_status()
    run(running, "inference")


def test_a_run_that_was_marked_failed_in_airflow_does_not_stop_the_schedule(
    running: Running, airflow: httpx.Client
) -> None:
    path = f"/dags/{DATA}/dagRuns"

    def active() -> list[dict[str, Any]]:
        going = airflow.get(path, params={"state": RunState.RUNNING.value}).json()
        return list(going["dag_runs"])

    ended = wait_until(active, 120, "a run of the data workflow")[0]
    end = {"state": RunState.FAILED.value, "note": "marked by hand"}
    airflow.patch(f"{path}/{ended['dag_run_id']}", json=end).raise_for_status()

    def is_scheduled() -> bool:
        runs = running.control.dag_runs(PROJECT, WorkflowKind.DATA, 5)
        later = [run for run in runs if run.run_id > ended["dag_run_id"]]
        return any(run.state is RunState.SUCCESS for run in later)

    wait_until(is_scheduled, 150, "the schedule goes on")


def test_the_dag_that_was_deleted_in_airflow_comes_back_by_itself(running: Running) -> None:
    def runs_again() -> bool:
        return running.cli("run", "monitoring").returncode == ExitCode.DONE

    wait_until(runs_again, 400, "Airflow has read the file again, as it does every five minutes")
    codes = {problem.code for problem in running.control.status().problems}
    assert not codes & {"dag.import_error", "workflow.paused"}


def test_what_is_deleted_in_mlflow_is_warned_of_once_and_every_workflow_goes_on(
    running: Running,
) -> None:
    now_in = champion(running)
    target = next(m for m in running.control.models(PROJECT) if "previous" in m.aliases)
    champion_run = version(running, now_in).run_id
    in_mlflow(running, "POST", "/runs/delete", run_id=champion_run)
    in_mlflow(
        running, "DELETE", "/model-versions/delete", name=PROJECT, version=str(target.version)
    )
    for _ in range(2):
        run(running, "data", "inference", "monitoring")
    assert len(changes(running, f"no way back to version {target.version}", "deleted")) == 1
    assert champion(running) == now_in

    in_mlflow(running, "DELETE", "/registered-models/alias", name=PROJECT, alias="champion")
    wait_until(lambda: champion(running), 400, "the training that is asked for is promoted")
    assert champion(running) != now_in
    assert len(changes(running, f"version {now_in} is no longer in production", "taken away")) == 1
    run(running, "inference", "monitoring", "train")
    assert not [p for p in running.control.status().problems if p.code == "workflow.failed"]


def test_a_valid_file_with_other_weights_is_refused_and_the_good_model_goes_on(
    running: Running,
) -> None:
    control, number = running.control, champion(running)
    run_id = version(running, number).run_id
    newest_at = newest_forecast(running).candle_date_time_utc
    (file,) = running.paths.mlflow_artifacts.rglob(f"*{run_id}*/**/model.skops")
    trusted = skops.io.get_untrusted_types(file=file)
    model: Any = skops.io.load(file, trusted=trusted)
    assert isinstance(model, QuantileForecaster)
    model.shifts_ = model.shifts_ + 0.073
    skops.io.dump(model, file)

    run(running, "train")  # compares with the champion, whose file it reads
    (refused,) = summaries(running, EventKind.MODEL_REFUSED)
    assert f"version {number}" in refused and "digest" in refused

    def found() -> bool:
        return any(p.code == "model.refused" for p in control.status().problems)

    wait_until(found, 30, "it is a problem")
    assert running.cli("status", "--check").returncode == ExitCode.UNHEALTHY

    def goes_on() -> bool:
        return newest_forecast(running).candle_date_time_utc > newest_at

    wait_until(goes_on, 120, "forecasts go on")
    assert abs(newest_forecast(running).quantiles.median) < 0.05, (
        "the file's model forecasts nothing"
    )
    assert len(summaries(running, EventKind.MODEL_REFUSED)) == 1
