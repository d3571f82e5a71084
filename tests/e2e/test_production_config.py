"""What the configuration and Airflow's page say of production, done by the running whole.

The tests share one appliance and run in the order in which they stand.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from appliance import clock
from appliance.airflow_api.client import AirflowApi
from appliance.cli.exit_code import ExitCode
from appliance.config.ports import service_url
from appliance.config.proven_http import ProvenTransport
from appliance.config.secret import Secret, read_secret
from appliance.control.api import Problem
from appliance.domain.event import EventKind
from appliance.domain.workflow import ENDED_NOTE, DagRun, RunState, WorkflowKind, dag_id
from tests.e2e.conftest import Running, new_home
from tests.waiting import wait_until

pytestmark = pytest.mark.long

PROJECT, OTHER = "crypto_forecast", "krw_btc_60m"
DAGS = [dag_id(PROJECT, kind) for kind in WorkflowKind]
DATA, TRAIN = dag_id(PROJECT, WorkflowKind.DATA), dag_id(PROJECT, WorkflowKind.TRAIN)
ENABLE = f"appliance project enable {PROJECT}"
COMPOSE = """
[source]
kind = "simulator"
[ingest]
history_candles = 4000
markets = ["KRW-BTC"]
timeframes = [1, 60]
[airflow]
port = 0
[mlflow]
port = 0
"""
FOLLOWED_BY = timedelta(seconds=5)
"""So long after a change of the configuration every part has taken it in."""
SCHEDULED_BY = timedelta(seconds=15)
"""So long after a candle's close its scheduled run has been created."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    appliance = new_home(tmp_path_factory.mktemp("config") / "home", COMPOSE)
    try:
        done = appliance.cli("up")
        assert done.returncode == 0, done.stderr
        control = appliance.control
        wait_until(lambda: control.status().projects[0].champion, 400, "a first champion")
        yield appliance
    finally:
        assert appliance.cli("down").returncode == 0


@pytest.fixture(scope="module")
def airflow(running: Running) -> Iterator[AirflowApi]:
    """Airflow as its own page talks to it."""
    secret = read_secret(running.paths, Secret.AIRFLOW_JWT_SECRET)
    transport = ProvenTransport(running.paths, "airflow")
    api = AirflowApi(service_url(running.paths, "airflow"), secret, transport)
    yield api
    api.close()


def problem(running: Running, code: str) -> Problem | None:
    return next((p for p in running.control.status().problems if p.code == code), None)


def newest_close(running: Running) -> datetime:
    candle = running.control.candles("KRW-BTC", 1, 1)[-1]
    return candle.candle_date_time_utc + timedelta(minutes=1)


def newest_forecast(running: Running) -> datetime:
    return max(forecast.made_at for forecast in running.control.forecasts(PROJECT, 3))


def test_a_dag_paused_in_airflow_is_a_problem_until_run_unpauses_it(
    running: Running, airflow: AirflowApi
) -> None:
    paused_at = clock.now()
    airflow.pause(DATA)
    found = wait_until(lambda: problem(running, "workflow.paused"), 30, "it is a problem")
    since = airflow.paused_at(DATA)
    assert (
        found is not None and since is not None and abs(since - paused_at) < timedelta(seconds=10)
    )
    assert f"paused in Airflow since {since:%Y-%m-%d %H:%M} UTC" in found.message
    done = running.cli("status", "--check")
    assert done.returncode == ExitCode.UNHEALTHY
    assert "paused in Airflow since" in done.stdout
    refused = running.cli("run", "data")
    assert refused.returncode == ExitCode.FAILED
    assert "paused in Airflow" in refused.stderr and "--unpause" in refused.stderr
    assert running.cli("run", "data", "--unpause").returncode == ExitCode.DONE
    wait_until(lambda: not problem(running, "workflow.paused"), 10, "the problem is over")


def test_a_disabled_project_runs_and_forecasts_nothing_until_it_is_enabled(
    running: Running, airflow: AirflowApi
) -> None:
    wait_until(lambda: running.control.forecasts(PROJECT, 1), 90, "a forecast")
    assert running.cli("run", "train", "--no-wait").returncode == ExitCode.DONE

    def training() -> DagRun | None:
        (run,) = airflow.newest_runs([TRAIN], 1)
        tasks = airflow.dag_run(TRAIN, run.run_id).tasks
        return run if any(task.state is RunState.RUNNING for task in tasks) else None

    started = wait_until(training, 60, "a training is on its way")
    assert started is not None
    assert running.cli("project", "disable", PROJECT).returncode == ExitCode.DONE
    followed_by = clock.now() + FOLLOWED_BY
    going = (RunState.RUNNING, RunState.QUEUED)
    wait_until(lambda: not airflow.newest_runs(DAGS, 10, going), 15, "running ones end")
    ended = airflow.dag_run(TRAIN, started.run_id)
    assert (ended.state, ended.note) == (RunState.FAILED, ENDED_NOTE)

    wait_until(lambda: clock.now() > followed_by, 10, "the forecaster has followed")
    runs = {run.run_id for run in airflow.newest_runs(DAGS, 100)}
    forecast_at, close_at = newest_forecast(running), newest_close(running)
    wait_until(lambda: newest_close(running) > close_at, 90, "candles go on")
    due_at = newest_close(running) + SCHEDULED_BY
    wait_until(lambda: clock.now() > due_at, 60, "a run would have started")
    assert {run.run_id for run in airflow.newest_runs(DAGS, 100)} == runs
    assert newest_forecast(running) == forecast_at
    assert ENABLE in running.cli("status").stdout
    refused = running.cli("run", "data")
    assert refused.returncode == ExitCode.USAGE
    assert ENABLE in refused.stderr
    assert not [p for p in running.control.status().problems if PROJECT in p.message]

    assert running.cli("project", "enable", PROJECT).returncode == ExitCode.DONE
    wait_until(lambda: newest_forecast(running) > forecast_at, 90, "forecasts go on")

    def is_scheduled() -> bool:
        new = [run for run in airflow.newest_runs([DATA], 5) if run.run_id not in runs]
        return any(run.state is RunState.SUCCESS for run in new)

    wait_until(is_scheduled, 90, "the schedule goes on")
    assert not any(info.is_paused for info in airflow.dags().values())
    codes = {each.code for each in running.control.status().problems}
    assert not codes & {"workflow.failed", "workflow.paused", "task.unstarted"}
    kinds = [event["kind"] for event in running.json("events", "-n", "500")]
    assert EventKind.WORKFLOW_FAILED not in kinds


def test_a_training_of_another_config_leaves_the_configured_champion(running: Running) -> None:
    control = running.control
    before = wait_until(lambda: control.status().projects[0].champion, 20, "its champion is read")
    known = {model.version for model in control.models(PROJECT)}
    for workflow in ("data", "train"):
        module = f"appliance.pipelines.{PROJECT}.run"
        done = subprocess.run(
            [sys.executable, "-m", module, OTHER, "--workflow", workflow],
            env=running.environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
        assert "production stays as it is" in done.stderr
    made = [model for model in control.models(PROJECT) if model.version not in known]
    assert "60" in [model.tags["unit"] for model in made]
    champion = next(model for model in control.models(PROJECT) if model.is_champion)
    assert before is not None
    assert (champion.version, champion.tags["unit"]) == (before.version, "1")
    assert not problem(running, "model.other_config")


def test_markets_and_timeframes_that_are_changed_show_without_a_restart(running: Running) -> None:
    file = running.paths.compose / "appliance.toml"

    def feeds() -> set[tuple[str, int]]:
        return {(each["market"], each["unit"]) for each in running.json("status")["markets"]}

    changed = COMPOSE.replace('["KRW-BTC"]', '["KRW-BTC", "KRW-ETH"]').replace("[1, 60]", "[1, 5]")
    wanted = {(market, unit) for market in ("KRW-BTC", "KRW-ETH") for unit in (1, 5)}
    file.write_text(changed)
    wait_until(lambda: feeds() == wanted, 30, "the new feeds show")
    file.write_text(COMPOSE)
    wait_until(lambda: feeds() == {("KRW-BTC", 1), ("KRW-BTC", 60)}, 30, "and go")


def test_a_champion_that_does_not_serve_the_config_is_a_problem_until_one_is_trained(
    running: Running,
) -> None:
    file = running.paths.compose / "projects" / f"{PROJECT}.toml"
    file.write_text(f'config = "{OTHER}"\n')
    found = wait_until(lambda: problem(running, "model.other_config"), 30, "it is a problem")
    assert found is not None and "KRW-BTC 1m" in found.message and "60m" in found.message
    done = running.cli("status", "--check")
    assert done.returncode == ExitCode.UNHEALTHY
    assert "forecasts nothing" in done.stdout

    def serves() -> bool:
        champion = running.control.status().projects[0].champion
        return champion is not None and champion.tags["unit"] == "60"

    wait_until(serves, 300, "the training that is asked for by itself is in production")
    wait_until(lambda: not problem(running, "model.other_config"), 20, "the problem is over")
