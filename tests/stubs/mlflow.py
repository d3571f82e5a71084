"""MLflow 3.17's registry REST API as far as we use it, with bodies as the real server sends them."""

from __future__ import annotations

from typing import Any

import skops.io

from tests.stubs.http_server import HttpStub, Reply, Request

_DESCRIPTION = b"flavors: {sklearn: {serialization_format: skops}}"
_MISSING = "RESOURCE_DOES_NOT_EXIST"


class MlflowStub(HttpStub):
    """One registered model per project, versions and aliases in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.versions: dict[str, list[dict[str, Any]]] = {}
        self.moved: dict[str, dict[str, str]] = {}
        self.metrics: dict[str, dict[str, float]] = {}
        self.files: dict[str, bytes] = {}
        self.params: dict[str, dict[str, str]] = {}
        self.created_ms = 1_795_448_067_000

    def add_model(self, project: str, model: object, *, tags: dict[str, str] | None = None) -> int:
        """Add a version with the files of a saved model and make it the champion."""
        number = self.add_version(project)
        self.versions[project][-1]["tags"] = [
            {"key": key, "value": value} for key, value in (tags or {}).items()
        ]
        self.files[f"{project}/{number}/MLmodel"] = _DESCRIPTION
        self.files[f"{project}/{number}/model.skops"] = skops.io.dumps(model)
        self.promote(project, number)
        return number

    def promote(self, project: str, number: int) -> None:
        """Move the aliases as a promotion does."""
        moved = self.moved[project]
        if "champion" in moved:
            moved["previous"] = moved["champion"]
        moved["champion"] = str(number)

    def forget(self, project: str) -> None:
        """Lose everything, as a registry does that is created anew."""
        self.versions.pop(project)
        self.moved.pop(project)
        self.created_ms += 5_000

    def add_version(self, project: str, **metrics: float) -> int:
        listed = self.versions.setdefault(project, [])
        number = len(listed) + 1
        run_id = f"{project}-{self.created_ms}-{number}"
        listed.append(
            {
                "name": project,
                "version": str(number),
                "creation_timestamp": 1_795_448_067_125 + number,
                "run_id": run_id,
                "tags": [{"key": "rows", "value": "100"}],
            }
        )
        self.metrics[run_id] = metrics
        self.moved.setdefault(project, {})
        return number

    def answer(self, request: Request) -> Reply:
        path = request.path.removeprefix("/api/2.0/mlflow")
        if path == "/registered-models/get":
            return self._model(request.query["name"])
        if path == "/model-versions/get":
            return self._version(request.query["name"], request.query["version"])
        if path == "/model-versions/search":
            project = request.query["filter"].split("'")[1]
            found = list(reversed(self.versions.get(project, [])))
            return Reply(body={"model_versions": found} if found else {})
        if path == "/model-versions/get-artifact":
            query = request.query
            found_file = self.files.get(f"{query['name']}/{query['version']}/{query['path']}")
            return _missing("no such file") if found_file is None else Reply(body=found_file)
        if path == "/registered-models/alias":
            return self._move(request.method, request.body)
        if path == "/experiments/get-by-name":
            return Reply(body={"experiment": {"experiment_id": "1"}})
        if path == "/model-versions/set-tag":
            return self._tag(request.body)
        if path == "/runs/get":
            return Reply(body={"run": self._run(request.query["run_id"])})
        if path == "/runs/search":
            return Reply(body={"runs": [self._run(run_id) for run_id in self.metrics]})
        return Reply(404, "<html>not found</html>")

    def _model(self, project: str) -> Reply:
        if project not in self.versions:
            return _missing(f"Registered Model with name={project} not found")
        aliases = [{"alias": a, "version": v} for a, v in self.moved[project].items()]
        latest = self.versions[project][-1:]
        model = {
            "name": project,
            "creation_timestamp": self.created_ms,
            "latest_versions": latest,
            "aliases": aliases,
        }
        return Reply(body={"registered_model": model})

    def _version(self, project: str, number: str) -> Reply:
        for version in self.versions.get(project, []):
            if version["version"] == number:
                return Reply(body={"model_version": version})
        return _missing(f"Model Version (name={project}, version={number}) not found")

    def _move(self, method: str, body: dict[str, str]) -> Reply:
        if method == "DELETE":
            self.moved[body["name"]].pop(body["alias"], None)
        else:
            self.moved[body["name"]][body["alias"]] = body["version"]
        return Reply()

    def _tag(self, body: dict[str, str]) -> Reply:
        for version in self.versions.get(body["name"], []):
            if version["version"] == body["version"]:
                kept = [tag for tag in version["tags"] if tag["key"] != body["key"]]
                version["tags"] = [*kept, {"key": body["key"], "value": body["value"]}]
                return Reply()
        return _missing(f"Model Version (name={body['name']}, version={body['version']}) not found")

    def _run(self, run_id: str) -> dict[str, Any]:
        listed = [{"key": key, "value": value} for key, value in self.metrics[run_id].items()]
        params = [{"key": k, "value": v} for k, v in self.params.get(run_id, {}).items()]
        return {"info": {"run_id": run_id}, "data": {"metrics": listed, "params": params}}


def _missing(message: str) -> Reply:
    return Reply(404, {"error_code": _MISSING, "message": message})
