"""Shows how far the tasks of a DAG run are, from their logs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from appliance.cli.output import narrate
from appliance.domain.workflow import PROGRESS_MARK, WorkflowKind
from appliance.errors import ApplianceError

if TYPE_CHECKING:
    from appliance.control.api import Control

READ_SECONDS = 2.0
"""Between two looks at a log, which Airflow sends whole."""
_LINES = 200


class TaskProgress:
    """What the tasks of one DAG run say in their logs about their progress, each line once."""

    def __init__(self, control: Control, project: str, kind: WorkflowKind, run_id: str) -> None:
        self._control = control
        self._run = (project, kind, run_id)
        self._newest: dict[str, str] = {}
        self._running: set[str] = set()
        self._read_at = 0.0

    def narrate(self, running: set[str]) -> None:
        """Narrate what is new in the logs of the running tasks, and of those that have just ended."""
        if running == self._running and time.monotonic() - self._read_at < READ_SECONDS:
            return
        self._read_at = time.monotonic()
        for task_id in sorted(running | self._running):
            try:
                lines = self._control.task_log(*self._run, task_id, lines=_LINES)
            except ApplianceError:
                continue  # the log is not there yet, or Airflow is away; the run is followed anyway
            self._narrate(task_id, [line for line in lines if PROGRESS_MARK in line])
        self._running = running

    def _narrate(self, task_id: str, said: list[str]) -> None:
        known = self._newest.get(task_id)
        first = said.index(known) + 1 if known in said else 0
        for line in said[first:]:
            narrate(f"    {line.partition(PROGRESS_MARK)[2]}")
            self._newest[task_id] = line
