"""A run that the appliance itself ends: it goes on after the next start, and nobody is alarmed."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.domain.event import EventKind
from appliance.domain.workflow import DagRun, RunState, WorkflowKind
from tests.e2e.conftest import new_home
from tests.waiting import wait_until

pytestmark = pytest.mark.long

PROJECT, TASK = "crypto_forecast", "train_model"
LONG_SEARCH = 'config = "krw_btc_1m"\n[overrides.search]\nseconds = 600\n'


def test_a_run_that_was_ended_with_the_appliance_is_no_failure(tmp_path: Path) -> None:
    appliance = new_home(tmp_path / "home")
    (appliance.paths.compose / "projects" / f"{PROJECT}.toml").write_text(LONG_SEARCH)

    def run_at_try(number: int) -> DagRun | None:
        control = appliance.control
        for listed in control.dag_runs(PROJECT, WorkflowKind.TRAIN):
            run = control.dag_run(PROJECT, WorkflowKind.TRAIN, listed.run_id)
            for task in run.tasks:
                is_running = task.state is RunState.RUNNING
                if task.task_id == TASK and is_running and task.try_number == number:
                    return run
        return None

    assert appliance.cli("up").returncode == 0
    try:
        first = wait_until(lambda: run_at_try(1), 240, "the training is on its way")
        assert first is not None
        assert appliance.cli("down").returncode == 0
        assert appliance.cli("up").returncode == 0
        again = wait_until(lambda: run_at_try(2), 120, "the same run goes on")
        assert again is not None and again.run_id == first.run_id
        kinds = [event["kind"] for event in appliance.json("events", "-n", "500")]
        assert EventKind.WORKFLOW_FAILED not in kinds
    finally:
        assert appliance.cli("down").returncode == 0
