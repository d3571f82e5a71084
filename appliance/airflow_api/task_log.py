"""The files in which Airflow's tasks log: one JSON object a line."""

from __future__ import annotations

import json
from pathlib import Path

from appliance.airflow_api.wire import log_lines
from appliance.domain.log import LogLevel

_LEVELS = {
    "debug": LogLevel.DEBUG,
    "warning": LogLevel.WARNING,
    "error": LogLevel.ERROR,
    "critical": LogLevel.ERROR,
}


def newest_log(folder: Path, dag_id: str, run_id: str, task_id: str) -> Path | None:
    """Return the log of a task's newest try below Airflow's log folder; None when there is none."""
    run = folder / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
    tries = [path for path in run.glob("attempt=*.log") if path.stem[8:].isdigit()]
    return max(tries, key=lambda path: int(path.stem[8:]), default=None)


def render_record(record: bytes, before: LogLevel) -> list[tuple[str, LogLevel]]:
    """Return the lines that one record of a task's log is to an operator; none for marks of Airflow's."""
    try:
        entry = json.loads(record)
    except ValueError:
        return [(record.decode("utf-8", "replace"), before)] if record.strip() else []
    if not isinstance(entry, dict):
        return [(str(entry), before)]
    level = _LEVELS.get(str(entry.get("level", "")).lower(), LogLevel.INFO)
    if entry.get("error_detail"):
        level = max(level, LogLevel.ERROR)
    return [(line, level) for line in log_lines(entry)]
