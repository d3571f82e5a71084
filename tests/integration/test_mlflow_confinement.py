"""MLflow's server stays in the artifact root: no location outside is recorded, read, written or deleted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.config.paths import Paths
from appliance.config.settings import MlflowSettings, Settings
from appliance.registry.credentials import HomeCredentials
from tests.mlflow_process import running_mlflow

SECRET = "not for you"
API = "/api/2.0/mlflow"
AJAX = "/ajax-api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"


@dataclass(frozen=True)
class Bench:
    """A served home, a folder outside its root, and what was on record there before."""

    home: Paths
    http: httpx.Client
    outside: Path
    old_run: str

    def post(self, path: str, body: object) -> httpx.Response:
        return self.http.post(f"{API}/{path}", json=body)

    def run(self, name: str) -> tuple[str, Path]:
        """Make a run of an experiment below the root; return its id and its folder."""
        location = (self.home.mlflow_artifacts / name).as_uri()
        made = self.post("experiments/create", {"name": name, "artifact_location": location})
        experiment = made.raise_for_status().json()["experiment_id"]
        run = self.post("runs/create", {"experiment_id": experiment}).json()["run"]["info"]
        folder = Path(run["artifact_uri"].removeprefix("file://"))
        folder.mkdir(parents=True)
        return run["run_id"], folder

    def unchanged(self) -> bool:
        """Whether the folder outside is as it was."""
        found = {p.name: p.read_text() for p in self.outside.iterdir()}
        return found == {"secret.txt": SECRET}


@pytest.fixture(
    scope="module",
    params=["", pytest.param("sqlite", marks=pytest.mark.long)],
    ids=["duckdb", "sqlite"],
)
def bench(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("confined")
    home, outside = Paths(folder / "home"), folder / "outside"
    home.create()
    outside.mkdir()
    (outside / "secret.txt").write_text(SECRET)
    settings = Settings(mlflow=MlflowSettings(database_url=request.param))
    old_run = record_outside(home, settings, outside)
    with running_mlflow(home, settings) as url:
        client = httpx.Client(base_url=url, auth=HomeCredentials(home), trust_env=False, timeout=30)
        with client as http:
            yield Bench(home, http, outside, old_run)


def record_outside(home: Paths, settings: Settings, outside: Path) -> str:
    """Put locations on record before there was a check; return the run's id."""
    from appliance.registry.client import open_registry

    client = open_registry(home, settings).client
    experiment = client.create_experiment("old", artifact_location=outside.as_uri())
    run = client.create_run(experiment).info
    (outside / "secret.txt").rename(outside / "kept")
    client.create_registered_model("old")
    client.create_model_version("old", outside.as_uri(), run_id=run.run_id)
    (outside / "kept").rename(outside / "secret.txt")
    return str(run.run_id)


def locations(bench: Bench) -> list[str]:
    folder = bench.outside
    root = bench.home.mlflow_artifacts
    return [
        *(folder.as_uri(), str(folder), "/", "file:///", f"file://localhost{folder}"),
        *(f"{root.as_uri()}/../../../outside", f"{root}/%2e%2e/%2e%2e/%2e%2e/outside"),
        *("relative/folder", "s3://bucket/x", "ftp://127.0.0.1/x", "http://127.0.0.1:9/x"),
        *("mlflow-artifacts://127.0.0.1:9/x", "mlflow-artifacts:/../../x", "dbfs:/x", "gs://x/y"),
        *("runs:/0/x", "models:/x/1"),
    ]


def test_no_experiment_is_put_outside(bench: Bench) -> None:
    for number, location in enumerate(locations(bench)):
        body = {"name": f"free-{number}", "artifact_location": location}
        for path in (f"{API}/experiments/create", f"{AJAX}/experiments/create"):
            reply = bench.http.post(path, json=body)
            assert (location, reply.status_code) == (location, 400), reply.text


def test_no_model_version_points_outside(bench: Bench) -> None:
    run, _ = bench.run("versions")
    bench.post("registered-models/create", {"name": "versions"}).raise_for_status()
    for source in locations(bench)[:-2]:
        for named in ({}, {"run_id": run}, {"run_id": bench.old_run}):
            reply = bench.post(
                "model-versions/create", {"name": "versions", "source": source, **named}
            )
            assert (source, reply.status_code) == (source, 400), reply.text


def trace(bench: Bench, tags: dict[str, str]) -> httpx.Response:
    info = {
        "trace_id": f"tr-{len(tags)}-{sum(map(len, tags.values()))}",
        "trace_location": {
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": {"experiment_id": "0"},
        },
        "request_time": "2026-01-01T00:00:00Z",
        "state": "OK",
        "tags": tags,
    }
    return bench.http.post("/api/3.0/mlflow/traces", json={"trace": {"trace_info": info}})


def test_no_trace_points_outside(bench: Bench) -> None:
    away = {"mlflow.artifactLocation": bench.outside.as_uri()}
    assert trace(bench, away).status_code == 400
    made = trace(bench, {}).raise_for_status().json()["trace"]["trace_info"]["trace_id"]
    for version in ("2.0", "3.0"):
        tag = {"key": "mlflow.artifactLocation", "value": bench.outside.as_uri()}
        reply = bench.http.patch(f"/api/{version}/mlflow/traces/{made}/tags", json=tag)
        assert reply.status_code == 400, reply.text


def test_what_is_on_record_outside_is_neither_read_nor_changed(bench: Bench) -> None:
    run = {"run_id": bench.old_run, "path": "secret.txt"}
    by_version = {"name": "old", "version": "1", "path": "secret.txt"}
    upload = {"run_uuid": bench.old_run, "path": "secret.txt"}
    experiment = bench.http.get(
        f"{API}/experiments/get-by-name", params={"experiment_name": "old"}
    ).json()["experiment"]["experiment_id"]
    replies = [
        bench.http.get("/get-artifact", params=run),
        bench.http.get("/model-versions/get-artifact", params=by_version),
        bench.http.get(f"{API}/artifacts/list", params={"run_id": bench.old_run}),
        bench.http.post(f"{AJAX}/upload-artifact", params=upload, content=b"evil"),
        bench.post("runs/create", {"experiment_id": experiment}),
        bench.post("logged-models", {"experiment_id": experiment, "name": "m"}),
        bench.post("artifacts/presigned-upload-url", run),
        bench.post("artifacts/presigned-download-url", run),
        graphql(bench, bench.old_run),
    ]
    for reply in replies:
        assert SECRET not in reply.text
        assert "secret.txt" not in reply.text
    assert [reply.status_code for reply in replies[:6]] == [403, 403, 403, 403, 400, 400]
    assert bench.unchanged()


def graphql(bench: Bench, run: str) -> httpx.Response:
    query = (
        "query MlflowListArtifactsQuery($data: MlflowListArtifactsInput!) "
        "{ mlflowListArtifacts(input: $data) { rootUri files { path isDir fileSize } } }"
    )
    body = {
        "query": query,
        "operationName": "MlflowListArtifactsQuery",
        "variables": {"data": {"runId": run}},
    }
    return bench.http.post("/graphql", json=body)


def test_links_that_leave_the_root_are_not_followed(bench: Bench) -> None:
    run, folder = bench.run("links")
    (folder / "file.txt").symlink_to(bench.outside / "secret.txt")
    (folder / "folder").symlink_to(bench.outside)
    (folder / "fine.txt").write_text("fine")
    below = folder.relative_to(bench.home.mlflow_artifacts)
    for name in ("file.txt", "folder/secret.txt"):
        replies = [
            bench.http.get("/get-artifact", params={"run_id": run, "path": name}),
            bench.http.get(f"{FILES}/{below}/{name}"),
            bench.http.get(f"{API}/artifacts/list", params={"run_id": run, "path": "folder"}),
            bench.http.get(FILES, params={"path": f"{below}/folder"}),
        ]
        for reply in replies:
            assert reply.is_error, reply.text
            assert SECRET not in reply.text
    for name in ("folder/new.txt", "folder/secret.txt", "file.txt"):
        bench.http.put(f"{FILES}/{below}/{name}", content=b"evil")
        upload = {"run_uuid": run, "path": name}
        bench.http.post(f"{AJAX}/upload-artifact", params=upload, content=b"evil")
    for name in ("folder/secret.txt", "folder"):
        bench.http.delete(f"{FILES}/{below}/{name}")
    assert bench.unchanged()
    listed: Any = bench.http.get(f"{API}/artifacts/list", params={"run_id": run}).json()
    assert "fine.txt" in [entry["path"] for entry in listed["files"]]
    assert "folder" not in [entry["path"] for entry in listed["files"]]


def test_a_runs_folder_that_is_a_link_is_not_followed(bench: Bench) -> None:
    run, folder = bench.run("moved")
    folder.rmdir()
    folder.symlink_to(bench.outside)
    upload = {"run_uuid": run, "path": "new.txt"}
    replies = [
        bench.http.get("/get-artifact", params={"run_id": run, "path": "secret.txt"}),
        bench.http.get(f"{API}/artifacts/list", params={"run_id": run}),
        bench.http.post(f"{AJAX}/upload-artifact", params=upload, content=b"evil"),
    ]
    assert [reply.status_code for reply in replies] == [403, 403, 403]
    assert bench.unchanged()


def test_an_upload_replaces_a_file_and_leaves_its_other_names_alone(bench: Bench) -> None:
    run, folder = bench.run("hard")
    (folder / "file.txt").hardlink_to(bench.outside / "secret.txt")
    upload = {"run_uuid": run, "path": "file.txt"}
    bench.http.post(f"{AJAX}/upload-artifact", params=upload, content=b"mine").raise_for_status()
    assert (folder / "file.txt").read_text() == "mine"
    assert bench.unchanged()


def test_the_roots_own_folder_is_not_deleted(bench: Bench) -> None:
    for path in ("", ".", "./", "x/.."):
        assert bench.http.delete(f"{FILES}/{path}").is_error
    assert bench.home.mlflow_artifacts.is_dir()


def test_what_lies_below_the_root_works_as_before(bench: Bench) -> None:
    default = bench.post("runs/create", {"experiment_id": "0"}).json()["run"]["info"]
    for run in (default["run_id"], bench.run("ordinary")[0]):
        upload = {"run_uuid": run, "path": "notes/a.txt"}
        bench.http.post(f"{AJAX}/upload-artifact", params=upload, content=b"hello")
        read = bench.http.get("/get-artifact", params={"run_id": run, "path": "notes/a.txt"})
        assert read.text == "hello"
    bench.post("registered-models/create", {"name": "prompt"}).raise_for_status()
    run_uri = f"runs:/{default['run_id']}/notes"
    named = {"name": "prompt", "run_id": default["run_id"], "source": run_uri}
    version = bench.post("model-versions/create", named).raise_for_status()
    assert version.json()["model_version"]["version"] in {"1", 1}
    query = {"name": "prompt", "version": "1", "path": "a.txt"}
    assert bench.http.get("/model-versions/get-artifact", params=query).text == "hello"
    gone = bench.http.request(
        "DELETE", f"{API}/model-versions/delete", json={"name": "prompt", "version": "1"}
    )
    assert gone.is_success
