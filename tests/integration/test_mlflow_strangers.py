"""The recipes by which another user of the machine read and changed everything through MLflow's port."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.config.paths import Paths
from appliance.config.secret import Secret, read_secret
from appliance.registry.credentials import HomeCredentials
from tests.mlflow_process import appliance_up, running_mlflow
from tests.squatter import squatting
from tests.stranger import attempts_of, request

API = "/api/2.0/mlflow"


@dataclass(frozen=True)
class Target:
    """A served home with a champion."""

    home: Paths
    url: str
    run_id: str
    model_file: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def state(self) -> tuple[Any, ...]:
        """What must not change: the registry's contents, and every artifact."""
        with httpx.Client(
            base_url=self.url + API, auth=HomeCredentials(self.home), trust_env=False
        ) as http:
            experiments = http.get("/experiments/search?max_results=1000&view_type=ALL").json()
            models = http.get("/registered-models/search?max_results=100").json()
        root = self.home.mlflow_artifacts
        files = {str(p): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}
        return experiments, models, files


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    home = Paths(tmp_path_factory.mktemp("strangers") / "home")
    home.create()
    with running_mlflow(home) as url:
        auth = HomeCredentials(home)
        with httpx.Client(base_url=url + API, auth=auth, trust_env=False) as http:
            location = (home.mlflow_artifacts / "shop").as_uri()
            body = {"name": "shop", "artifact_location": location}
            experiment = http.post("/experiments/create", json=body).json()["experiment_id"]
            run = http.post("/runs/create", json={"experiment_id": experiment}).json()["run"]
            uri, run_id = run["info"]["artifact_uri"], run["info"]["run_id"]
            model = Path(uri.removeprefix("file://"), "model", "model.skops")
            model.parent.mkdir(parents=True)
            model.write_text("the champion")
            http.post("/registered-models/create", json={"name": "shop"})
            for _ in range(2):
                version = {"name": "shop", "source": f"{uri}/model", "run_id": run_id}
                http.post("/model-versions/create", json=version).raise_for_status()
            alias = {"name": "shop", "alias": "champion", "version": "1"}
            http.post("/registered-models/alias", json=alias).raise_for_status()
        yield Target(home, url, run_id, model)


def recipes(target: Target, folder: Path) -> list[list[object]]:
    """Return the requests of somebody who knows every name."""
    below = target.model_file.relative_to(target.home.mlflow_artifacts)
    free = {"name": "free", "artifact_location": folder.as_uri()}
    version = {"name": "shop", "source": folder.as_uri(), "run_id": target.run_id}
    alias = {"name": "shop", "alias": "champion", "version": "2"}
    run = f"run_id={target.run_id}&run_uuid={target.run_id}&path="
    port = target.port
    return [
        request(port, f"{API}/experiments/create", "POST", free),
        request(port, f"{API}/model-versions/create", "POST", version),
        request(port, f"{API}/registered-models/alias", "POST", alias),
        request(port, f"{API}/registered-models/alias", "DELETE", alias),
        request(port, f"{API}/registered-models/delete", "DELETE", {"name": "shop"}),
        request(port, f"{API}/runs/delete", "POST", {"run_id": target.run_id}),
        request(port, f"/get-artifact?{run}model/model.skops"),
        request(port, "/model-versions/get-artifact?name=shop&version=1&path=model.skops"),
        request(
            port, f"/ajax-api/2.0/mlflow/upload-artifact?{run}model/model.skops", "POST", "evil"
        ),
        request(port, f"/api/2.0/mlflow-artifacts/artifacts/{below}", "PUT", "evil"),
        request(port, f"/api/2.0/mlflow-artifacts/artifacts/{below}", "DELETE"),
        request(port, "/graphql", "POST", {"query": "{__schema{types{name}}}"}),
        request(port, f"{API}/registered-models/search"),
        request(port, "/v1/traces", "POST", "{}", {"Content-Type": "application/x-protobuf"}),
        request(port, "/version"),
        request(port, "/"),
    ]


def test_another_user_reads_and_changes_nothing(target: Target, other_user: str) -> None:
    before = target.state()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "link").symlink_to(target.home.secrets / "mlflow_password")
        answers = attempts_of(other_user, recipes(target, folder))
    assert {status for status, _ in answers} == {401}
    secret = read_secret(target.home, Secret.MLFLOW_PASSWORD)
    assert not any("the champion" in text or secret in text for _, text in answers)
    assert target.state() == before


def test_another_user_finds_the_password_nowhere(target: Target, other_user: str) -> None:
    secret = read_secret(target.home, Secret.MLFLOW_PASSWORD)
    pids = [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    served = [
        pid for pid in pids if b"appliance.registry.served" in read(Path("/proc", pid, "cmdline"))
    ]
    assert served
    files = [str(target.home.secrets / "mlflow_password"), str(target.home.listeners_file)]
    files += [f"/proc/{pid}/{name}" for pid in served for name in ("environ", "cmdline", "maps")]
    answers = attempts_of(other_user, [["read", file] for file in files])
    assert not any(secret in str(answer) for answer in answers)
    assert [answer[1] for answer in answers[:3]] == ["PermissionError"] * 3


def read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


NOTEBOOK = """
import mlflow

with mlflow.start_run(run_name="notebook") as run:
    mlflow.log_metric("loss", 0.5)
    mlflow.log_text("hello", "notes/a.txt")
print(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/notes/a.txt"))
print(mlflow.MlflowClient().get_model_version_by_alias("shop", "champion").version)
"""


def shell(home: Paths, text: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run shell commands in which `appliance` is this checkout's, as an operator does."""
    command = f'appliance() {{ "{sys.executable}" -m appliance "$@"; }}; {text}'
    return subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=home.home,
        env={**os.environ, "APPLIANCE_HOME": str(home.home), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_env_lets_a_users_own_script_in_whatever_his_shell_has(
    target: Target, tmp_path: Path
) -> None:
    script = tmp_path / "notebook.py"
    script.write_text(NOTEBOOK)
    with appliance_up(target.home), squatting(tmp_path / "kept") as proxy:
        elsewhere = {
            "HTTP_PROXY": f"http://127.0.0.1:{proxy.port}",
            "MLFLOW_TRACKING_TOKEN": "of another server",
            "MLFLOW_TRACKING_AUTH": "unknown",
            "MLFLOW_REGISTRY_URI": "http://127.0.0.1:9",
        }
        done = shell(
            target.home, f'eval "$(appliance env)"; "{sys.executable}" "{script}"', **elsewhere
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-2:] == ["hello", "1"], done.stdout + done.stderr
        assert proxy.was_sent() == b""


def test_env_quotes_what_it_prints(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    with appliance_up(target.home):
        printed = shell(target.home, "appliance env", NO_PROXY="a b,$(false)").stdout
        lines = printed.splitlines()
    assert "export NO_PROXY='a b,$(false),127.0.0.1,localhost'" in lines
    assert "unset MLFLOW_TRACKING_TOKEN" in lines


def test_env_says_that_the_appliance_is_down(target: Target) -> None:
    done = shell(target.home, "appliance env")
    assert (done.returncode, done.stdout) == (3, "")
    assert "appliance up" in done.stderr
