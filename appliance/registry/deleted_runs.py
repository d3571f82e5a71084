"""Runs that were deleted in MLflow, until they are removed for good.

MLflow's API neither lists nor removes them: only its store does. While a server owns the store's file, two
methods of a path of our own, behind the server's gate, do it there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from appliance import clock

PATH = "/appliance/deleted-runs"

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class DeletedRun:
    """A deleted run with its experiment's name and where its files are."""

    run_id: str
    project: str
    uri: str


class DeletedRuns(Protocol):
    """Finds and removes deleted runs."""

    def find_deleted(self, before: datetime) -> list[DeletedRun]:
        """Return the runs that were deleted before an instant."""
        ...

    def remove_deleted(self, run_id: str) -> None:
        """Remove a run and its rows for good."""
        ...


class StoredDeletedRuns:
    """`DeletedRuns` of a tracking store that this process may open."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def find_deleted(self, before: datetime) -> list[DeletedRun]:
        """See `DeletedRuns.find_deleted`."""
        milliseconds = int((clock.now() - before).total_seconds() * 1000)
        run_ids = self._store._get_deleted_runs(older_than=milliseconds)
        return [self._describe(run_id) for run_id in run_ids]

    def remove_deleted(self, run_id: str) -> None:
        """See `DeletedRuns.remove_deleted`."""
        self._store._hard_delete_run(run_id)

    def _describe(self, run_id: str) -> DeletedRun:
        info = self._store.get_run(run_id).info
        project = self._store.get_experiment(info.experiment_id).name
        return DeletedRun(run_id, project, info.artifact_uri)


class DeletedRunsRoute:
    """Answers `PATH` in front of MLflow's application: GET lists, DELETE removes one."""

    def __init__(self, application: Application, store: Callable[[], Any]) -> None:
        self._application = application
        self._store = store

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http" or scope["path"] != PATH:
            await self._application(scope, receive, send)
            return
        request = Request(scope, receive)
        answer = await run_in_threadpool(self._answer, request.method, dict(request.query_params))
        await answer(scope, receive, send)

    def _answer(self, method: str, query: dict[str, str]) -> JSONResponse:
        runs = StoredDeletedRuns(self._store())
        try:
            if method == "GET":
                found = runs.find_deleted(_instant(query["before"]))
                return JSONResponse({"runs": [asdict(run) for run in found]})
            if method == "DELETE":
                runs.remove_deleted(query["run_id"])
                return JSONResponse({})
        except (KeyError, ValueError) as error:
            return JSONResponse({"message": f"bad request: {error}"}, status_code=400)
        return JSONResponse({"message": f"no method {method}"}, status_code=405)


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text} has no offset from UTC")
    return instant
