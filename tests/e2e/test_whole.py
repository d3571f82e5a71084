"""The whole appliance on the simulator: what an operator does, by keyboard and by command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from appliance.config.ports import service_url
from appliance.control.api import ProjectStatus
from appliance.domain.workflow import RunState, WorkflowKind
from appliance.registry.credentials import HomeCredentials
from tests.e2e.conftest import Running, new_home
from tests.terminal import Terminal, needs_tmux
from tests.waiting import wait_until

pytestmark = pytest.mark.long

PROJECT = "crypto_forecast"
COMMAND = (sys.executable, "-m", "appliance")
EVERY_PANEL = ("SIMULATOR", "KRW-BTC", "Services", "Workflows", "Model", "Drift", "Events")


def project(running: Running) -> ProjectStatus:
    return running.control.status().projects[0]


def champion_in_mlflow(running: Running) -> int:
    """Ask MLflow's own REST API."""
    reply = httpx.get(
        f"{service_url(running.paths, 'mlflow')}/api/2.0/mlflow/registered-models/alias",
        params={"name": PROJECT, "alias": "champion"},
        auth=HomeCredentials(running.paths),
        trust_env=False,
    )
    return int(reply.raise_for_status().json()["model_version"]["version"])


def test_everything_runs_by_itself(running: Running) -> None:
    def all_succeeded() -> bool:
        return all(w.last_success_at for w in project(running).workflows)

    wait_until(all_succeeded, 240, "each workflow has had a success")
    assert project(running).champion is not None
    before = wait_until(lambda: project(running).forecast, 60, "a forecast")
    assert before is not None

    def forecast_of_a_new_candle() -> bool:
        newest = project(running).forecast
        return newest is not None and newest.candle_date_time_utc > before.candle_date_time_utc

    wait_until(forecast_of_a_new_candle, 240, "the candle that closes next is forecast")
    assert running.cli("status", "--check").returncode == 0


@pytest.mark.parametrize("kind", ["data", "inference", "monitoring"])
def test_a_workflow_runs_through_airflow_and_shows_its_tasks(running: Running, kind: str) -> None:
    done = running.cli("run", kind)
    assert done.returncode == 0, done.stderr
    assert "success" in done.stderr
    assert f"{PROJECT}_{kind}_wf" in done.stdout


def test_a_failing_workflow_exits_1_with_the_log_of_the_failing_task(running: Running) -> None:
    done = running.cli("run", "inference", "--param", "model_version=999")
    assert done.returncode == 1
    assert "forecast_candles" in done.stderr
    assert "999" in done.stderr.partition("--- log of forecast_candles")[2]


@needs_tmux
@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40)])
def test_the_dashboard_is_complete_and_quitting_leaves_everything_running(
    running: Running, columns: int, rows: int
) -> None:
    with Terminal(COMMAND, running.environment, columns, rows) as terminal:
        terminal.wait_for(*EVERY_PANEL, "ingestor", "monitoring", "champion", "coverage", "Quit")
        terminal.press("?")
        terminal.wait_for("start the train workflow at once")
        terminal.press("Escape")
        wait_until(lambda: "start the train" not in terminal.screen(), 10, "the help has closed")
        terminal.press("q")
        wait_until(lambda: not terminal.screen(), 10, "the dashboard has ended")
    assert running.cli("status").returncode == 0


@needs_tmux
def test_retrain_promote_and_roll_back_by_keyboard(running: Running) -> None:
    control = running.control
    before = {run.run_id for run in control.dag_runs(PROJECT, WorkflowKind.TRAIN)}
    with Terminal(COMMAND, running.environment, 120, 40) as terminal:
        terminal.wait_for(*EVERY_PANEL, "champion")
        terminal.press("r")

        def new_run() -> str:
            runs = control.dag_runs(PROJECT, WorkflowKind.TRAIN)
            return next((run.run_id for run in runs if run.run_id not in before), "")

        run_id = wait_until(new_run, 2, "the key creates a DAG run")

        def finished() -> RunState | None:
            state = control.dag_run(PROJECT, WorkflowKind.TRAIN, run_id).state
            return state if state.is_finished else None

        assert wait_until(finished, 240, "the training ends") is RunState.SUCCESS
        old = champion_in_mlflow(running)
        new = max(v.version for v in control.models(PROJECT) if v.version != old)
        terminal.wait_for(f"newest v{new}")
        terminal.press("p")
        terminal.wait_for("Promote which version?", "pinball")
        terminal.press("Enter")
        terminal.wait_for(f"Type {new} and press enter")
        terminal.press(str(new), "Enter")
        wait_until(lambda: champion_in_mlflow(running) == new, 15, "promoted")
        terminal.wait_for(f"v{new} champion")
        terminal.press("b")
        terminal.wait_for(f"Type {old} and press enter")
        terminal.press(str(old), "Enter")
        wait_until(lambda: champion_in_mlflow(running) == old, 15, "rolled back")
        terminal.wait_for(f"v{old} champion")


def test_promotion_and_rollback_by_command(running: Running) -> None:
    old = champion_in_mlflow(running)
    new = next(v.version for v in running.control.models(PROJECT) if v.version != old)
    assert running.cli("models", "promote", str(new), "-y").returncode == 0
    assert champion_in_mlflow(running) == new
    assert running.cli("models", "rollback", "-y").returncode == 0
    assert champion_in_mlflow(running) == old


def test_what_is_stored_can_be_asked_for(running: Running) -> None:
    assert len(running.json("candles", "-n", "5")) == 5
    assert running.json("sql", "SELECT count(*) AS n FROM forecasts")[0]["n"] > 0
    assert running.json("drift")["report"]["model_version"] >= 1
    assert any(e["kind"] == "model.promoted" for e in running.json("events", "-n", "500"))
    assert running.cli("sql", "DELETE FROM candles").returncode == 1


def test_workflows_run_in_process_while_the_appliance_is_down(tmp_path: Path) -> None:
    appliance = new_home(tmp_path / "home", config="krw_btc_60m")
    for kind in ("data", "train", "inference", "monitoring"):
        done = appliance.cli("run", kind)
        assert done.returncode == 0, done.stderr
    done = appliance.cli("run", "inference", "--param", "model_version=999")
    assert done.returncode == 1
    assert "999" in done.stderr
    versions = appliance.json("models")
    assert [v["version"] for v in versions if v["is_champion"]] == [1]
    again = appliance.json("models", "reproduce", "1")
    assert again["is_equal"]
    assert appliance.cli("models", "reproduce", "7").returncode == 1
    left = subprocess.run(
        ["pgrep", "-f", str(appliance.paths.home)], check=False, capture_output=True, text=True
    )
    assert left.stdout == ""
