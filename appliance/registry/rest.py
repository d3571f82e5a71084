"""Model versions and aliases over the MLflow server's REST API, without importing MLflow.

For processes that run all the time and only read versions or move aliases: a call takes
milliseconds where `import mlflow` takes seconds and 175 MB.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from appliance.config.paths import Paths
from appliance.config.ports import service_url
from appliance.config.proven_http import ProvenTransport
from appliance.domain.model_version import ModelVersion
from appliance.errors import ModelNotFound, RegistryError
from appliance.registry import aliases
from appliance.registry.aliases import AliasMove
from appliance.registry.credentials import HomeCredentials
from appliance.registry.deleted_runs import PATH, DeletedRun
from appliance.registry.location import registry_unavailable
from appliance.registry.production import Production
from appliance.registry.production_lock import ProductionLock

_API = "/api/2.0/mlflow"
_MISSING = "RESOURCE_DOES_NOT_EXIST"
_NEWEST_VERSIONS = 200
_TIMEOUT = httpx.Timeout(3.5, connect=1.0)
"""Whoever asks the control API gets an answer within five seconds."""
_DECISION_SECONDS = 2.0
"""An operator waits this long for another's decision on production."""
_REMOVAL = httpx.Timeout(60.0, connect=1.0)


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """A project's aliases (alias -> version) and newest version, None before the first.

    `created_ms` tells a model from an earlier one of the same name; 0 before the first. `held` says why
    the newest version is held for a person, "" when it is not.
    """

    aliases: dict[str, int]
    newest_version: int | None
    created_ms: int = 0
    held: str = ""


class RegistryRest(Production):
    """Versions and aliases of all projects; a project's model is named like the project.

    Every call raises `RegistryUnavailable` when MLflow does not answer or fails, `ModelNotFound`
    for a missing version or alias, `RegistryError` when the server refuses. Safe to use from
    several threads.
    """

    def __init__(
        self,
        base_url: str,
        auth: httpx.Auth | None = None,
        transport: httpx.BaseTransport | None = None,
        lock: ProductionLock | None = None,
    ) -> None:
        super().__init__(lock)
        self.base_url = base_url.rstrip("/")
        self._http = httpx.Client(
            base_url=self.base_url,
            auth=auth,
            timeout=_TIMEOUT,
            trust_env=False,
            transport=transport,
        )

    @classmethod
    def of_home(cls, paths: Paths) -> RegistryRest:
        """Return the client of a home's server, which speaks to nobody else.

        Raises:
            ApplianceNotRunning: the server does not run.
        """
        url = service_url(paths, "mlflow")
        lock = ProductionLock(paths.production_locks, _DECISION_SECONDS)
        return cls(url, HomeCredentials(paths), ProvenTransport(paths, "mlflow"), lock)

    def close(self) -> None:
        """Close kept-alive connections."""
        self._http.close()

    def champion(self, project: str) -> ModelVersion:
        """Return the version in production; raises `ModelNotFound` when there is none."""
        champion = self.aliases(project).get(aliases.CHAMPION)
        if champion is None:
            raise aliases.no_champion(project)
        return self.version(project, champion)

    def versions(self, project: str, limit: int = _NEWEST_VERSIONS) -> list[ModelVersion]:
        """Return the newest versions, newest first; empty before the first training."""
        moved = self.aliases(project)
        answer = self._call(
            "GET",
            "/model-versions/search",
            params={
                "filter": f"name='{project}'",
                "max_results": limit,
                "order_by": "version_number DESC",
            },
        )
        return self._read(project, answer.get("model_versions", []), moved)

    def version(self, project: str, number: int) -> ModelVersion:
        """Return one version; raises `ModelNotFound`."""
        answer = self._call(
            "GET",
            "/model-versions/get",
            params={"name": project, "version": number},
            missing=aliases.no_version(project, number),
        )
        return self._read(project, [answer["model_version"]], self.aliases(project))[0]

    def aliases(self, project: str) -> dict[str, int]:
        """Return alias -> version; empty before the first training."""
        return self.summary(project).aliases

    def _aliases(self, project: str) -> dict[str, int]:
        return self.aliases(project)

    def summary(self, project: str) -> ModelSummary:
        """Return a project's aliases and newest version in one call."""
        try:
            answer = self._call("GET", "/registered-models/get", params={"name": project})
        except ModelNotFound:
            return ModelSummary({}, None)
        model = answer["registered_model"]
        moved = {entry["alias"]: int(entry["version"]) for entry in model.get("aliases", [])}
        newest = max(
            model.get("latest_versions", []), key=lambda entry: int(entry["version"]), default=None
        )
        created_ms = int(model.get("creation_timestamp", 0))
        if newest is None:
            return ModelSummary(moved, None, created_ms)
        tags = {tag["key"]: tag["value"] for tag in newest.get("tags", [])}
        number = int(newest["version"])
        is_held = tags.get(aliases.STATE) == aliases.HELD and moved.get(aliases.CHAMPION) != number
        return ModelSummary(
            moved, number, created_ms, tags.get("gate.words", "") if is_held else ""
        )

    def model_file(self, project: str, number: int, name: str) -> bytes:
        """Return one file of a version's model folder, through the server wherever it lies."""
        params: dict[str, str | int] = {"name": project, "version": number, "path": name}
        try:
            response = self._http.get("/model-versions/get-artifact", params=params)
        except httpx.HTTPError as error:
            raise registry_unavailable(self.base_url, error or type(error).__name__) from error
        if response.is_success:
            return response.content
        missing = aliases.no_version(project, number)
        raise self._refusal(response.status_code, _body(response), missing)

    def params(self, run_id: str) -> dict[str, str]:
        """Return the parameters of a run by name; empty for one that is gone."""
        try:
            answer = self._call("GET", "/runs/get", params={"run_id": run_id})
        except ModelNotFound:
            return {}
        listed = answer["run"].get("data", {}).get("params", [])
        return {param["key"]: param["value"] for param in listed}

    def model_bytes(self, project: str, number: int) -> int | None:
        """Return how large a version's model is, as MLflow noted it, None where it did not."""
        content = self.model_file(project, number, "MLmodel").decode(errors="replace")
        noted = re.search(r"^model_size_bytes: (\d+)$", content, re.MULTILINE)
        return int(noted[1]) if noted else None

    def find_deleted(self, before: datetime) -> list[DeletedRun]:
        """See `DeletedRuns.find_deleted`."""
        answer = self._send("GET", PATH, params={"before": before.isoformat()}, timeout=_REMOVAL)
        return [DeletedRun(**run) for run in answer["runs"]]

    def remove_deleted(self, run_id: str) -> None:
        """See `DeletedRuns.remove_deleted`."""
        self._send("DELETE", PATH, params={"run_id": run_id}, timeout=_REMOVAL)

    def set_tags(self, project: str, version: int, tags: Mapping[str, str]) -> None:
        """Set tags of a version; others stay."""
        for name, value in tags.items():
            self._call(
                "POST",
                "/model-versions/set-tag",
                json={"name": project, "version": str(version), "key": name, "value": value},
                missing=aliases.no_version(project, version),
            )

    def _apply(self, project: str, moves: Sequence[AliasMove]) -> None:
        for move in moves:
            target: dict[str, str] = {"name": project, "alias": move.alias}
            if move.version is None:
                self._call("DELETE", "/registered-models/alias", json=target)
            else:
                target["version"] = str(move.version)
                self._call("POST", "/registered-models/alias", json=target)

    def _read(
        self, project: str, found: Sequence[Mapping[str, Any]], moved: Mapping[str, int]
    ) -> list[ModelVersion]:
        metrics = self._metrics(project, [wire["run_id"] for wire in found if wire.get("run_id")])
        return [_model_version(wire, moved, metrics) for wire in found]

    def _metrics(self, project: str, run_ids: Sequence[str]) -> dict[str, dict[str, float]]:
        experiment_id = self._experiment_id(project) if run_ids else ""
        if not experiment_id:
            return {}
        listed = ", ".join(f"'{run_id}'" for run_id in run_ids)
        answer = self._call(
            "POST",
            "/runs/search",
            json={
                "experiment_ids": [experiment_id],
                "filter": f"attributes.run_id IN ({listed})",
                "run_view_type": "ALL",
                "max_results": len(run_ids),
            },
        )
        return {run["info"]["run_id"]: _metric_values(run) for run in answer.get("runs", [])}

    def _experiment_id(self, project: str) -> str:
        try:
            answer = self._call(
                "GET", "/experiments/get-by-name", params={"experiment_name": project}
            )
        except ModelNotFound:
            return ""
        return str(answer["experiment"]["experiment_id"])

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: object = None,
        missing: ModelNotFound | None = None,
    ) -> dict[str, Any]:
        return self._send(method, _API + path, params=params, json=json, missing=missing)

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | float] | None = None,
        json: object = None,
        missing: ModelNotFound | None = None,
        timeout: httpx.Timeout = _TIMEOUT,
    ) -> dict[str, Any]:
        try:
            response = self._http.request(method, path, params=params, json=json, timeout=timeout)
            body = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise registry_unavailable(self.base_url, error or type(error).__name__) from error
        if response.is_success and isinstance(body, dict):
            return body
        raise self._refusal(response.status_code, body, missing)

    def _refusal(self, status: int, body: object, missing: ModelNotFound | None) -> RegistryError:
        code, message = "", str(body)[:300]
        if isinstance(body, dict):
            code = str(body.get("error_code", ""))
            message = str(body.get("message", message))
        if code == _MISSING:
            return missing or ModelNotFound(message)
        if status >= 500:
            return registry_unavailable(self.base_url, f"HTTP {status}: {message}")
        return RegistryError(f"MLflow refused: {message}", hint="appliance logs mlflow")


def _body(response: httpx.Response) -> object:
    try:
        return response.json()
    except ValueError:
        return response.text


def _model_version(
    wire: Mapping[str, Any], moved: Mapping[str, int], metrics: Mapping[str, dict[str, float]]
) -> ModelVersion:
    number = int(wire["version"])
    return ModelVersion(
        name=wire["name"],
        version=number,
        run_id=wire.get("run_id", ""),
        created_at=datetime.fromtimestamp(int(wire["creation_timestamp"]) / 1000, UTC),
        aliases=tuple(sorted(alias for alias, at in moved.items() if at == number)),
        metrics=metrics.get(wire.get("run_id", ""), {}),
        tags={tag["key"]: tag["value"] for tag in wire.get("tags", [])},
    )


def _metric_values(run: Mapping[str, Any]) -> dict[str, float]:
    listed = run.get("data", {}).get("metrics", [])
    return {metric["key"]: float(metric["value"]) for metric in listed}
