"""What a task's own log says of its failure; Airflow writes one JSON object a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from appliance.config.paths import Paths

_ERRORS = frozenset({"error", "critical"})
_LOOKED_AT_BYTES = 200_000


def logged_error(paths: Paths, dag_id: str, run_id: str, task_id: str = "") -> tuple[str, str]:
    """Return the task that logged an error last, and the error; both empty when none did.

    Args:
        paths: the home.
        dag_id: the run's DAG.
        run_id: as Airflow has it.
        task_id: look at this task only.
    """
    run = paths.airflow / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}"
    logs = sorted(run.glob(f"task_id={task_id or '*'}/attempt=*.log"), key=_written_at)
    for log in reversed(logs):
        if error := _last_error(log):
            return log.parent.name.removeprefix("task_id="), error
    return "", ""


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _last_error(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LOOKED_AT_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    for line in reversed(lines):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and str(entry.get("level", "")).lower() in _ERRORS:
            return _words(entry)
    return ""


def _words(entry: dict[str, Any]) -> str:
    """Return the exception where there is one, else the message, in one line."""
    details = entry.get("error_detail")
    if isinstance(details, list) and details and isinstance(details[0], dict):
        kind, value = details[0].get("exc_type", ""), details[0].get("exc_value", "")
        return " ".join(f"{kind}: {value}".split())
    return " ".join(str(entry.get("event", "")).split())
