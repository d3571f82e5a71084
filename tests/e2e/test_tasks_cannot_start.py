"""Everything is ready and no task can start: that is told, with the cause."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from appliance.config.instance_lock import holder_pid, is_supervised
from appliance.control.api import ApplianceStatus
from appliance.errors import ApplianceError
from appliance.supervisor.runtime import spawn_daemon
from tests.e2e.conftest import Running, new_home
from tests.waiting import wait_until

pytestmark = pytest.mark.long

BROKEN_DAEMON = """
import sys
from appliance.supervisor import airflow_services
real = airflow_services.airflow_environment
dead = {"AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://127.0.0.1:9/execution/"}
airflow_services.airflow_environment = lambda *parts, **named: real(*parts, **named) | dead
from appliance.daemon import main
sys.exit(main())
"""
"""A daemon whose tasks cannot reach the API that hands them their work."""


def status_of(home: Running) -> ApplianceStatus | None:
    try:
        return home.control.status()
    except ApplianceError:
        return None


def test_tasks_that_cannot_start_are_a_problem_with_the_cause_from_the_schedulers_log(
    tmp_path: Path,
) -> None:
    home = new_home(tmp_path / "home")
    spawn_daemon(home.paths, (sys.executable, "-c", BROKEN_DAEMON))
    try:

        def told() -> str:
            status = status_of(home)
            found = [p for p in status.problems if p.code == "task.not_started"] if status else []
            return found[0].message if found else ""

        message = wait_until(told, 240, "the problem is told")
        assert "crypto_forecast_data_wf.load_candles" in message
        assert "refused" in message
        status = status_of(home)
        assert status is not None and not status.is_healthy
    finally:
        supervisor = holder_pid(home.paths)
        if supervisor is not None:
            os.kill(supervisor, signal.SIGTERM)
        wait_until(lambda: not is_supervised(home.paths), 90, "the supervisor has ended")
