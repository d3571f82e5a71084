"""The state of every workflow, kept up to date with few and cheap calls.

Newest runs of all workflows come in one call; the DAG list and the import errors, which change
seldom, are read every few seconds only. A workflow that runs seldom drops out of the page of newest
runs, so its last run is remembered and, until it has finished, asked for by name.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from appliance import clock
from appliance.airflow_api import wire
from appliance.airflow_api.client import AirflowApi
from appliance.domain.workflow import (
    DagRun,
    RunState,
    UnstartedTask,
    WorkflowKind,
    WorkflowStatus,
    dag_id,
)
from appliance.errors import AirflowApiError, AirflowUnavailable

_DAGS_EVERY_SECONDS = 10.0
_UNSTARTED_EVERY_SECONDS = 5.0
QUEUED_TOO_LONG = timedelta(seconds=60)
"""A slot that is free takes a queued task at once; one that is not, after the task before it."""
OVERDUE = timedelta(seconds=15)
"""A scheduled run is created within seconds of its time."""
_RUNS_PER_WORKFLOW = 4


@dataclass(slots=True)
class _Seen:
    last_run: DagRun | None = None
    last_success_at: datetime | None = None
    is_known: bool = False


@dataclass(slots=True)
class _Dags:
    infos: Mapping[str, wire.DagInfo] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    paused_at: Mapping[str, datetime] = field(default_factory=dict)
    read_at: float | None = None


class WorkflowWatch:
    """Reads the status of the workflows of all projects; one caller at a time."""

    def __init__(self, api: AirflowApi) -> None:
        self._api = api
        self._seen: dict[str, _Seen] = {}
        self._dags = _Dags()
        self._is_outdated = False
        self._page: tuple[DagRun, ...] = ()
        self._unstarted: tuple[UnstartedTask, ...] = ()
        self._unstarted_at = float("-inf")
        self._stalled: set[str] = set()

    def statuses(self, projects: Sequence[str]) -> list[WorkflowStatus]:
        """Return four workflows per project, in the order of `WorkflowKind`.

        Raises:
            AirflowUnavailable: the api-server does not answer.
        """
        wanted = {dag_id(name, kind): (name, kind) for name in projects for kind in WorkflowKind}
        if not wanted:
            return []
        is_new = self._read_dags(wanted)
        self._read_runs(list(wanted))
        if is_new:
            self._wake_stalled(wanted)
        self._read_unstarted(list(wanted))
        return [self._status(identity, *workflow) for identity, workflow in wanted.items()]

    @property
    def import_errors(self) -> Mapping[str, str]:
        """Name of each DAG file that Airflow cannot import, without `.py`, and the error's text."""
        return self._dags.errors

    @property
    def unstarted(self) -> tuple[UnstartedTask, ...]:
        """Tasks of the newest runs that could not start, or wait for it too long."""
        return self._unstarted

    def _read_unstarted(self, dag_ids: Sequence[str]) -> None:
        """Look at the tasks of runs since the last success; costs nothing while that is the newest."""
        suspects = _since_success(self._page, dag_ids)
        if not suspects:
            self._unstarted, self._unstarted_at = (), float("-inf")
        elif clock.monotonic() - self._unstarted_at >= _UNSTARTED_EVERY_SECONDS:
            found = self._api.unstarted_tasks(suspects, clock.now() - QUEUED_TOO_LONG)
            self._unstarted, self._unstarted_at = tuple(found), clock.monotonic()

    def look_again(self) -> None:
        """Read the DAGs at the next call: their state has just been changed; from any thread."""
        self._is_outdated = True

    def _wake_stalled(self, dag_ids: Collection[str]) -> None:
        """Have the file read again of a DAG whose next run twice was overdue while none was under way.

        Airflow leaves it so when its run was ended by hand, until it reads the file by itself: five minutes.
        """
        due_before = clock.now() - OVERDUE
        busy = {run.dag_id for run in self._page if not run.state.is_finished}
        stalled = {
            name
            for name, info in self._dags.infos.items()
            if name in dag_ids
            and info.has_schedule
            and not info.is_paused
            and (info.next_run_at is None or info.next_run_at < due_before)
            and name not in busy
        }
        with suppress(AirflowApiError):  # the next reading says what is wrong with Airflow
            for name in sorted(stalled & self._stalled):
                self._api.parse_again(self._dags.infos[name].file_token)
        self._stalled = stalled

    def _read_dags(self, dag_ids: Collection[str]) -> bool:
        """Read the DAGs unless that was done just now; returns whether it was done."""
        now = clock.monotonic()
        is_recent = (
            self._dags.read_at is not None and now - self._dags.read_at < _DAGS_EVERY_SECONDS
        )
        if is_recent and not self._is_outdated:
            return False
        self._is_outdated = False
        errors = {failure.dag_id: failure.error for failure in self._api.import_errors()}
        infos = self._api.dags()
        paused = [name for name, info in infos.items() if info.is_paused and name in dag_ids]
        self._dags = _Dags(infos, errors, {name: self._paused_at(name) for name in paused}, now)
        return True

    def _paused_at(self, identity: str) -> datetime:
        """Return when a DAG was paused; where Airflow has not noted it, when that was seen first."""
        seen_at = self._dags.paused_at.get(identity)
        return self._api.paused_at(identity) or seen_at or clock.now()

    def _read_runs(self, dag_ids: Sequence[str]) -> None:
        page = self._api.newest_runs(dag_ids, _RUNS_PER_WORKFLOW * len(dag_ids))
        self._page = tuple(page)
        for run in reversed(page):
            self._note(run)
        in_page = {run.run_id for run in page}
        for identity in dag_ids:
            seen = self._seen.setdefault(identity, _Seen())
            if not seen.is_known:
                self._look_back(identity)
            elif seen.last_run and seen.last_run.run_id not in in_page:
                self._refresh(seen.last_run)

    def _look_back(self, identity: str) -> None:
        for states in ((RunState.SUCCESS,), ()):
            for run in self._api.newest_runs([identity], 1, states):
                self._note(run)
        self._seen[identity].is_known = True

    def _refresh(self, run: DagRun) -> None:
        if run.state.is_finished:
            return
        try:
            self._note(replace(self._api.dag_run(run.dag_id, run.run_id), tasks=()))
        except AirflowUnavailable:
            raise
        except AirflowApiError:
            self._seen[run.dag_id] = _Seen()  # the run was deleted: look back again

    def _note(self, run: DagRun) -> None:
        seen = self._seen.setdefault(run.dag_id, _Seen())
        seen.last_run = run
        if run.state is RunState.SUCCESS and run.ended_at:
            seen.last_success_at = max(run.ended_at, seen.last_success_at or run.ended_at)

    def _status(self, identity: str, project: str, kind: WorkflowKind) -> WorkflowStatus:
        seen = self._seen[identity]
        info = self._dags.infos.get(identity)
        return WorkflowStatus(
            project=project,
            kind=kind,
            last_run=seen.last_run,
            last_success_at=seen.last_success_at,
            next_run_at=info.next_run_at if info and not info.is_paused else None,
            schedule=wire.schedule_words(kind, info) if info else "",
            is_paused=bool(info and info.is_paused),
            paused_at=self._dags.paused_at.get(identity),
            import_error=self._dags.errors.get(identity, ""),
        )


def _since_success(page: Sequence[DagRun], dag_ids: Sequence[str]) -> list[DagRun]:
    """Return of each DAG the runs of a page, newest first, that are newer than its last success."""
    found: list[DagRun] = []
    for identity in dag_ids:
        runs = (run for run in page if run.dag_id == identity)
        found += itertools.takewhile(lambda run: run.state is not RunState.SUCCESS, runs)
    return found
