"""One method per question we ask Airflow's api-server."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx

from appliance import clock
from appliance.airflow_api import wire
from appliance.airflow_api.auth import TokenSource
from appliance.domain.workflow import DagRun, RunState, UnstartedTask
from appliance.errors import AirflowApiError, AirflowUnavailable

_API = "/api/v2"
PAUSED = "airflow.paused"
"""Code of the error that a DAG is paused."""
_TIMEOUT = httpx.Timeout(3.5, connect=1.0)
"""Whoever asks the control API gets an answer within five seconds."""
_PAGE = 100
_UNAVAILABLE = frozenset({502, 503, 504})


class AirflowApi:
    """Airflow's REST API on loopback; kept-alive connections, safe to use from several threads.

    Every call raises `AirflowUnavailable` when the api-server does not answer or fails twice, and
    `AirflowApiError` when it refuses.

    Args:
        base_url: `http://127.0.0.1:<port>`.
        jwt_secret: the secret that the api-server checks tokens with.
        transport: such as a `ProvenTransport`, so that tokens go to nobody else.
    """

    def __init__(
        self, base_url: str, jwt_secret: str, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._tokens = TokenSource(jwt_secret)
        self._http = httpx.Client(
            base_url=self.base_url, timeout=_TIMEOUT, trust_env=False, transport=transport
        )

    def close(self) -> None:
        """Close kept-alive connections."""
        self._http.close()

    def health(self) -> list[wire.ComponentHealth]:
        """Return each component's health by its heartbeat (the status code is always 200)."""
        return wire.read_health(self._call("GET", "/monitor/health"))

    def dags(self) -> dict[str, wire.DagInfo]:
        """Return the DAGs of all workflows by id; a DAG whose file is gone is not among them."""
        params: dict[str, str | int] = {"dag_id_pattern": "%_wf", "limit": _PAGE}
        return wire.read_dags(self._call("GET", "/dags", params=params))

    def import_errors(self) -> list[wire.ImportFailure]:
        """Return the DAG files that do not import."""
        return wire.read_import_errors(self._call("GET", "/importErrors", params={"limit": _PAGE}))

    def newest_runs(
        self, dag_ids: Sequence[str], limit: int, states: Sequence[RunState] = ()
    ) -> list[DagRun]:
        """Return the newest runs of several DAGs in one call (9 ms), newest first, without tasks."""
        query: dict[str, Any] = {
            "dag_ids": list(dag_ids),
            "page_limit": min(limit, _PAGE),
            "order_by": "-run_after",
        }
        if states:
            query["states"] = [state.value for state in states]
        return wire.read_runs(self._call("POST", "/dags/~/dagRuns/list", json=query))

    def dag_run(self, dag_id: str, run_id: str) -> DagRun:
        """Return one run with its task instances."""
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"
        run = self._call("GET", path)
        tasks = self._call("GET", f"{path}/taskInstances", params={"limit": _PAGE})
        return wire.read_run(run, wire.read_tasks(tasks))

    def trigger(self, dag_id: str, conf: Mapping[str, object], run_id: str | None = None) -> DagRun:
        """Create a DAG run.

        The run's id is chosen here, so that a call repeated after a failure cannot create two runs.

        Raises:
            AirflowApiError: no such DAG; names its file and, when it is broken, its error.
        """
        self._refuse_broken(dag_id)
        self._refuse_paused(dag_id)
        run_id = run_id or f"manual__{clock.now().isoformat()}__{uuid.uuid4().hex[:6]}"
        body = {"logical_date": None, "conf": dict(conf), "dag_run_id": run_id}
        try:
            return wire.read_run(self._call("POST", f"/dags/{dag_id}/dagRuns", json=body))
        except AirflowApiError as error:
            if error.fields.get("status") == 409:
                return self.dag_run(dag_id, run_id)
            if error.fields.get("status") == 404:
                raise _missing_dag(dag_id) from error
            raise

    def unstarted_tasks(
        self, runs: Sequence[DagRun], queued_before: datetime
    ) -> list[UnstartedTask]:
        """Return the tasks of some runs that could not start, or are queued since before an instant."""
        query = {
            "dag_ids": sorted({run.dag_id for run in runs}),
            "dag_run_ids": sorted({run.run_id for run in runs}),
            "state": ["failed", "up_for_retry", "queued"],
            "page_limit": _PAGE,
        }
        path = "/dags/~/dagRuns/~/taskInstances/list"
        return wire.read_unstarted(self._call("POST", path, json=query), queued_before)

    def task_log(self, dag_id: str, run_id: str, task_id: str, lines: int = 200) -> list[str]:
        """Return the last lines of a task's newest try; empty while it has not started."""
        run = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"
        path = f"{run}/taskInstances/{quote(task_id, safe='')}"
        attempt = int(self._call("GET", path).get("try_number") or 0)
        if attempt == 0:
            return []
        return wire.read_log(self._call("GET", f"{path}/logs/{attempt}"))[-lines:]

    def unpause(self, dag_id: str) -> None:
        """Let Airflow start runs of a DAG again; raises `AirflowApiError` when there is none."""
        self._call("PATCH", f"/dags/{dag_id}", json={"is_paused": False})

    def parse_again(self, file_token: str) -> None:
        """Let Airflow read a DAG's file anew at once, and with it count the DAG's runs anew.

        A run that was ended through this API counts as running until then, and the next is not scheduled.
        """
        try:
            self._call("PUT", f"/parseDagFile/{quote(file_token, safe='')}")
        except AirflowApiError as error:
            if error.fields.get("status") != 409:  # it has been asked for already
                raise

    def pause(self, dag_id: str) -> None:
        """Let Airflow start no run of a DAG; raises `AirflowApiError` when there is none."""
        self._call("PATCH", f"/dags/{dag_id}", json={"is_paused": True})

    def paused_at(self, dag_id: str) -> datetime | None:
        """Return when a paused DAG was paused by Airflow's audit log, None when that does not say."""
        query: dict[str, str | int] = {
            "dag_id": dag_id,
            "event": "patch_dag",
            "order_by": "-when",
            "limit": _PAGE,
        }
        return wire.read_paused_at(self._call("GET", "/eventLogs", params=query))

    def end_run(self, dag_id: str, run_id: str, note: str) -> None:
        """End a run at once as failed, without its DAG's failure callback; `note` says why."""
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"
        self._call("PATCH", path, json={"state": RunState.FAILED.value, "note": note})

    def _refuse_paused(self, dag_id: str) -> None:
        """Refuse a paused DAG: its run would stay queued until somebody unpauses it."""
        info = self.dags().get(dag_id)
        if info is not None and info.is_paused:
            project, _, kind = dag_id.removesuffix("_wf").rpartition("_")
            raise AirflowApiError(
                f"{dag_id} is paused in Airflow: a run of it would not start",
                code=PAUSED,
                hint=f"unpause it and run it: appliance run {kind} --project {project} --unpause",
                status=409,
            )

    def _refuse_broken(self, dag_id: str) -> None:
        """Refuse a DAG whose file does not import: Airflow would run its last good version."""
        for failure in self.import_errors():
            if failure.dag_id == dag_id:
                raise AirflowApiError(
                    f"dags/{dag_id}.py does not import: {failure.reason}",
                    code="airflow.broken_dag",
                    hint=f"correct dags/{dag_id}.py; it is read again within half a minute",
                    error=failure.error,
                )

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: object = None,
    ) -> dict[str, Any]:
        response = self._send(method, path, params, json)
        if response.status_code >= 500 and response.status_code not in _UNAVAILABLE:
            response = self._send(method, path, params, json)
        if response.status_code >= 500:
            raise self._unavailable(f"HTTP {response.status_code}: {_detail(response)}")
        if not response.is_success:
            raise AirflowApiError(
                f"Airflow refused {method} {path}: {_detail(response)}",
                code="airflow.refused",
                hint="appliance logs airflow-api-server",
                status=response.status_code,
            )
        try:
            body = response.json()
        except ValueError as error:
            raise self._unavailable("an answer that is not JSON") from error
        return body if isinstance(body, dict) else {}

    def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int] | None,
        json: object,
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._tokens.token()}"}
        try:
            return self._http.request(
                method, _API + path, params=params, json=json, headers=headers
            )
        except httpx.HTTPError as error:
            raise self._unavailable(str(error) or type(error).__name__) from error

    def _unavailable(self, reason: str) -> AirflowUnavailable:
        return AirflowUnavailable(
            f"Airflow's API at {self.base_url} does not answer: {reason}",
            hint="wait for its restart, or look at it: appliance logs airflow-api-server",
        )


def _missing_dag(dag_id: str) -> AirflowApiError:
    return AirflowApiError(
        f"Airflow does not know the DAG {dag_id}",
        code="airflow.missing_dag",
        hint=f"check that dags/{dag_id}.py exists; a new file is read within half a minute",
    )


def _detail(response: httpx.Response) -> str:
    try:
        detail = response.json().get("detail")
    except (ValueError, AttributeError):
        detail = response.text
    return str(detail)[:300]
