"""Keeps Airflow still for disabled projects: their DAGs are paused, their runs ended."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from pathlib import Path

from appliance.airflow_api.client import AirflowApi
from appliance.config.paths import write_atomically
from appliance.config.reading import MissingFile, UnreadableFile, read_text
from appliance.config.state_file import set_aside
from appliance.domain.workflow import ENDED_NOTE, RunState, WorkflowKind, dag_id
from appliance.errors import AirflowApiError, AirflowUnavailable

_log = logging.getLogger(__name__)

_PAGE = 100


class DisabledDags:
    """Pauses and unpauses the DAGs of projects as these are disabled and enabled; one caller at a time.

    Args:
        api: Airflow.
        file: keeps which DAGs were paused here, so that an operator's own pause outlives enabling.
    """

    def __init__(self, api: AirflowApi, file: Path) -> None:
        self._api = api
        self._file = file
        self._paused = _read(file)

    def keep_still(self, disabled: Iterable[str]) -> bool:
        """Let no run of disabled projects start or go on; whether a DAG's state was changed.

        Raises:
            AirflowUnavailable: the api-server does not answer; what is missing is done at the next call.
        """
        still = {dag_id(project, kind) for project in disabled for kind in WorkflowKind}
        if not still and not self._paused:
            return False
        known = self._api.dags()
        to_pause = sorted(name for name in still & known.keys() if not known[name].is_paused)
        to_unpause = sorted((self._paused & known.keys()) - still)
        self._remember(self._paused.union(to_pause))
        for name in to_pause:
            self._api.pause(name)
        self._end_runs(sorted(still & known.keys()))
        for name in to_unpause:
            self._api.unpause(name)
            self._api.parse_again(known[name].file_token)
        self._remember(self._paused.difference(to_unpause))
        return bool(to_pause or to_unpause)

    def _end_runs(self, dag_ids: list[str]) -> None:
        if not dag_ids:
            return
        for run in self._api.newest_runs(dag_ids, _PAGE, (RunState.RUNNING, RunState.QUEUED)):
            try:
                self._api.end_run(run.dag_id, run.run_id, ENDED_NOTE)
            except AirflowUnavailable:
                raise
            except AirflowApiError as error:
                _log.warning("run=%s of %s is not ended: %s", run.run_id, run.dag_id, error.message)

    def _remember(self, paused: frozenset[str]) -> None:
        if paused != self._paused:
            write_atomically(self._file, json.dumps(sorted(paused)) + "\n")
            self._paused = paused


def _read(file: Path) -> frozenset[str]:
    try:
        names = json.loads(read_text(file))
    except MissingFile:
        return frozenset()
    except (UnreadableFile, ValueError) as error:
        set_aside(file, str(error))
        return frozenset()
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        set_aside(file, "it is no list of DAGs")
        return frozenset()
    return frozenset(names)
