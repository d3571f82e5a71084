"""A project made while the appliance runs: taken in by itself, beside the first and apart from it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.config.ports import service_url
from appliance.control.api import ProjectStatus
from appliance.control.client import ControlClient
from appliance.registry.credentials import HomeCredentials
from tests.e2e.conftest import new_home
from tests.terminal import Terminal, needs_tmux
from tests.waiting import wait_until

pytestmark = pytest.mark.long

FIRST, SECOND = "crypto_forecast", "second"
SOURCES = ("appliance", "store", "dags", "compose", "tests", "pyproject.toml")

LEAK = """

_honest = engineer_features


def engineer_features(series, scale, spec):
    features = _honest(series, scale, spec)
    coming = np.roll(series.log_close, -3) - series.log_close
    return {**features, next(iter(features)): coming / scale}
"""


@dataclass(frozen=True)
class Checkout:
    """A copy of the source tree that a test may add to, and a home for what runs from it."""

    root: Path
    paths: Paths

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("APPLIANCE_")}
        return {**kept, "PYTHONPATH": str(self.root), "APPLIANCE_HOME": str(self.paths.home)}

    @property
    def control(self) -> ControlClient:
        return ControlClient(self.paths)

    def python(self, *arguments: str, timeout: float = 400) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=self.root,
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = self.python("appliance", *arguments)
        assert done.returncode == 0, done.stderr
        return done

    def project(self, name: str) -> ProjectStatus | None:
        projects = self.control.status().projects
        return next((project for project in projects if project.name == name), None)

    def query(self, sql: str) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = json.loads(self.cli("sql", sql, "--json").stdout)
        return rows


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    root = tmp_path_factory.mktemp("checkout")
    for name in SOURCES:
        source = SOURCE_ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, root / name)
    return Checkout(root, new_home(tmp_path_factory.mktemp("home") / "home").paths)


@pytest.fixture(scope="module")
def running(checkout: Checkout) -> Iterator[Checkout]:
    """The appliance with the first project, to which the second was added while it ran."""
    try:
        checkout.cli("up")
        checkout.cli("new-project", SECOND)
        yield checkout
    finally:
        assert checkout.python("appliance", "down").returncode == 0


def test_it_is_taken_in_without_a_restart_and_runs_by_itself(running: Checkout) -> None:
    wait_until(lambda: running.project(SECOND), 30, "the status shows it")

    def all_have_run() -> bool:
        project = running.project(SECOND)
        return project is not None and all(w.last_success_at for w in project.workflows)

    wait_until(all_have_run, 400, "each of its workflows has had a success")
    second = running.project(SECOND)
    assert second is not None
    assert second.champion is not None
    assert second.horizon == 30
    check = ("appliance", "status", "--check")
    wait_until(lambda: running.python(*check).returncode == 0, 120, "all is well")


@pytest.mark.parametrize("kind", ["data", "train", "inference", "monitoring"])
def test_each_workflow_runs_through_airflow(running: Checkout, kind: str) -> None:
    done = running.cli("run", kind, "--project", SECOND)
    assert f"{SECOND}_{kind}_wf" in done.stdout


def test_what_it_does_is_apart_from_the_first(running: Checkout) -> None:
    stored = running.query(
        "SELECT project, horizon, count(*) AS n FROM forecasts GROUP BY 1, 2 ORDER BY 1"
    )
    assert [(row["project"], row["horizon"]) for row in stored] == [(FIRST, 15), (SECOND, 30)]
    mlflow = service_url(running.paths, "mlflow")
    credentials = HomeCredentials(running.paths)
    for name in (FIRST, SECOND):
        found = httpx.get(
            f"{mlflow}/api/2.0/mlflow/experiments/get-by-name",
            params={"experiment_name": name},
            auth=credentials,
            trust_env=False,
        ).raise_for_status()
        experiment = found.json()["experiment"]["experiment_id"]
        versions = httpx.get(
            f"{mlflow}/api/2.0/mlflow/model-versions/search",
            params={"filter": f"name='{name}'"},
            auth=credentials,
            trust_env=False,
        ).raise_for_status()
        run = httpx.get(
            f"{mlflow}/api/2.0/mlflow/runs/get",
            params={"run_id": versions.json()["model_versions"][0]["run_id"]},
            auth=credentials,
            trust_env=False,
        ).raise_for_status()
        assert run.json()["run"]["info"]["experiment_id"] == experiment


def test_the_live_path_forecasts_for_both(running: Checkout) -> None:
    def forecasting() -> bool:
        reason = {s.name: s.reason for s in running.control.status().services}["forecaster"]
        return all(f"{name} forecasting" in reason for name in (FIRST, SECOND))

    wait_until(forecasting, 120, "the forecaster says so of both")


@needs_tmux
@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40)])
def test_the_dashboard_shows_it_by_a_key(running: Checkout, columns: int, rows: int) -> None:
    command = (sys.executable, "-m", "appliance")
    with Terminal(command, running.environment, columns, rows) as terminal:
        terminal.wait_for("Workflows", "champion")
        terminal.press("n")
        terminal.wait_for("healthy  second", "in 30 min")
        terminal.press("q")


def test_its_changed_code_is_seen_without_a_restart(running: Checkout) -> None:
    config = running.root / "appliance" / "pipelines" / SECOND / "configs" / "krw_btc_1m.py"
    text = config.read_text()

    def horizon() -> int:
        project = running.project(SECOND)
        return project.horizon if project is not None else 0

    def problem() -> str:
        found = [p.message for p in running.control.status().problems]
        return next((message for message in found if "krw_btc_1m.py, line 1" in message), "")

    try:
        config.write_text(text.replace("Horizon = 30", "Horizon = 25"))
        wait_until(lambda: horizon() == 25, 30, "the status shows the new horizon")
        config.write_text("class\n")
        assert "SyntaxError" in wait_until(problem, 30, "broken code is a problem with its place")
        first = running.project(FIRST)
        assert first is not None
        assert first.horizon == 15
    finally:
        config.write_text(text)
    wait_until(lambda: horizon() == 30, 30, "and the old horizon again")


def test_a_leak_that_is_put_live_is_not_registered(running: Checkout) -> None:
    folder = running.root / "appliance" / "pipelines" / SECOND / "preprocessor"
    engineering = folder / "feature_engineering.py"
    honest = engineering.read_text()
    before = running.project(SECOND)
    assert before is not None
    engineering.write_text(honest + LEAK)
    try:
        done = running.python("appliance", "run", "train", "--project", SECOND)
        assert done.returncode == 1
        failed = running.query(
            "SELECT summary FROM events WHERE kind = 'workflow.failed' AND project = 'second'"
            " ORDER BY id DESC LIMIT 1"
        )
        (summary,) = (str(row["summary"]) for row in failed)
        assert "check_rows" in summary
        assert "nothing was trained or registered: look-ahead" in summary
        assert "of the row of 20" in summary
        after = running.project(SECOND)
        assert after is not None
        assert after.newest_version == before.newest_version
        assert after.champion is not None
    finally:
        engineering.write_text(honest)
    count = "SELECT count(*) AS n FROM forecasts WHERE project = 'second' AND is_live"
    made = running.query(count)

    def goes_on() -> bool:
        return running.query(count) != made

    wait_until(goes_on, 240, "the corrected code's model forecasts again")


def test_its_own_tests_pass(running: Checkout) -> None:
    done = running.python("pytest", "-q", f"tests/projects/test_{SECOND}.py")
    assert done.returncode == 0, done.stdout[-4000:]


def test_a_broken_dag_file_is_named_with_its_error(running: Checkout) -> None:
    broken = running.root / "dags" / "broken_by_a_test_wf.py"
    broken.write_text("raise RuntimeError('broken on purpose')\n")

    def problem() -> str:
        found = [p for p in running.control.status().problems if "broken" in p.message]
        return found[0].message if found else ""

    try:
        assert "broken_by_a_test_wf" in wait_until(problem, 90, "the import error is a problem")
    finally:
        broken.unlink()
    wait_until(lambda: not problem(), 90, "the problem ends with the file")
