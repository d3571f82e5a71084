"""Airflow 3.3's REST API as far as we use it, with bodies as the real server sends them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from datetime import UTC, datetime
from typing import Any

from tests.stubs.http_server import HttpStub, Reply, Request

SECRET = "s" * 128


class AirflowStub(HttpStub):
    """DAGs, runs and import errors in memory; refuses calls without a token of `SECRET`."""

    def __init__(self) -> None:
        super().__init__()
        self.dags: dict[str, dict[str, Any]] = {}
        self.runs: list[dict[str, Any]] = []
        self.tasks: dict[str, list[dict[str, Any]]] = {}
        self.logs: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.import_errors: list[dict[str, Any]] = []
        self.suspects: list[dict[str, Any]] = []
        self.audit: list[dict[str, Any]] = []

    def add_dag(
        self,
        dag_id: str,
        summary: str | None = None,
        description: str = "",
        next_run: str | None = None,
    ) -> None:
        self.dags[dag_id] = {
            "dag_id": dag_id,
            "is_paused": False,
            "timetable_summary": summary,
            "timetable_description": description,
            "next_dagrun_run_after": next_run,
            "has_import_errors": False,
            "file_token": f"file.of.{dag_id}",
        }

    def add_run(self, dag_id: str, run_id: str, state: str, minute: int = 0) -> dict[str, Any]:
        at = f"2026-03-01T12:{minute:02d}:00.100000Z"
        is_done = state in ("success", "failed")
        run: dict[str, Any] = {
            "dag_run_id": run_id,
            "dag_id": dag_id,
            "logical_date": None,
            "queued_at": at,
            "start_date": at if state != "queued" else None,
            "end_date": f"2026-03-01T12:{minute:02d}:02Z" if is_done else None,
            "duration": 1.9 if is_done else None,
            "run_after": at,
            "run_type": "manual",
            "state": state,
            "conf": {},
        }
        self.runs.append(run)
        return run

    def answer(self, request: Request) -> Reply:
        if request.path == "/api/v2/monitor/health":
            healthy = {"status": "healthy", "latest_scheduler_heartbeat": "2026-03-01T12:00:00Z"}
            triggerer = {"status": None, "latest_triggerer_heartbeat": None}
            return Reply(body={"scheduler": healthy, "triggerer": triggerer})
        if not self._is_authorized(request):
            return Reply(403, {"detail": "Invalid JWT token"})
        path = request.path.removeprefix("/api/v2")
        if path == "/dags":
            return Reply(body={"dags": list(self.dags.values()), "total_entries": len(self.dags)})
        if path == "/importErrors":
            return Reply(body={"import_errors": self.import_errors, "total_entries": 1})
        if path == "/dags/~/dagRuns/list":
            return self._list(request.body)
        if path == "/dags/~/dagRuns/~/taskInstances/list":
            return Reply(body={"task_instances": self.suspects, "total_entries": 1})
        if request.method == "PATCH" and path.removeprefix("/dags/") in self.dags:
            self.change_dag(path.removeprefix("/dags/"), request.body)
            return Reply(body=self.dags[path.removeprefix("/dags/")])
        if path.startswith("/parseDagFile/file.of."):
            return Reply(201, None)
        if path == "/eventLogs":
            return Reply(body={"event_logs": self._audit_of(request.query["dag_id"])})
        return self._of_dag(request, path)

    def change_dag(self, dag_id: str, change: dict[str, Any]) -> None:
        self.dags[dag_id].update(change)
        when = f"2026-03-01T12:{len(self.audit):02d}:00Z"
        self.audit.append({"dag_id": dag_id, "when": when, "extra": json.dumps(change)})

    def _audit_of(self, dag_id: str) -> list[dict[str, Any]]:
        return [entry for entry in reversed(self.audit) if entry["dag_id"] == dag_id]

    def _is_authorized(self, request: Request) -> bool:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        signed, _, signature = token.rpartition(".")
        expected = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha512).digest()
        if signature != base64.urlsafe_b64encode(expected).rstrip(b"=").decode():
            return False
        claims = json.loads(base64.urlsafe_b64decode(signed.split(".")[1] + "=="))
        now = datetime.now(UTC).timestamp()
        return bool(claims["aud"] == "apache-airflow" and claims["nbf"] <= now < claims["exp"])

    def _list(self, query: dict[str, Any]) -> Reply:
        found = [
            run
            for run in self.runs
            if run["dag_id"] in query["dag_ids"]
            and run["state"] in query.get("states", [run["state"]])
        ]
        found.sort(key=lambda run: str(run["run_after"]), reverse=True)
        return Reply(body={"dag_runs": found[: query["page_limit"]], "total_entries": len(found)})

    def _of_dag(self, request: Request, path: str) -> Reply:
        match = re.fullmatch(
            r"/dags/([^/]+)/dagRuns(?:/([^/]+)(/taskInstances(?:/([^/]+)(/logs/\d+)?)?)?)?", path
        )
        if match is None:
            return Reply(404, {"detail": "Not Found"})
        dag_id, run_id, tasks, task_id, log = match.groups()
        if request.method == "POST":
            return self._trigger(dag_id, request.body)
        run = next(
            (r for r in self.runs if (r["dag_id"], r["dag_run_id"]) == (dag_id, run_id)), None
        )
        if run is None:
            return Reply(404, {"detail": f"The DagRun with run_id: `{run_id}` was not found"})
        if request.method == "PATCH":
            run.update(request.body)
            return Reply(body=run)
        if log:
            return Reply(body={"content": self.logs.get((run_id, task_id), [])})
        instances = self.tasks.get(run_id, [])
        if task_id:
            named = [task for task in instances if task["task_id"] == task_id]
            return (
                Reply(body=named[0]) if named else Reply(404, {"detail": "TaskInstance not found"})
            )
        return Reply(body={"task_instances": instances} if tasks else run)

    def _trigger(self, dag_id: str, body: dict[str, Any]) -> Reply:
        if dag_id not in self.dags:
            return Reply(404, {"detail": f"Dag with dag_id: '{dag_id}' not found"})
        if any(run["dag_run_id"] == body["dag_run_id"] for run in self.runs):
            return Reply(409, {"detail": {"reason": "Unique constraint violation"}})
        run = self.add_run(dag_id, body["dag_run_id"], "queued", minute=59)
        run["conf"] = body["conf"]
        return Reply(body=run)
