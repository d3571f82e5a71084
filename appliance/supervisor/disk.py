"""Old files that may go."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from appliance import clock
from appliance.config.paths import Paths

LOG_RETENTION = timedelta(days=14)


def prune_airflow_logs(paths: Paths, retention: timedelta = LOG_RETENTION) -> int:
    """Delete Airflow's log files older than `retention` and folders left empty; return how many files."""
    root = paths.airflow / "logs"
    oldest = (clock.now() - retention).timestamp()
    removed = 0
    for path in sorted(root.rglob("*"), reverse=True):
        try:
            removed += _prune(path, oldest)
        except OSError:
            continue
    return removed


def _prune(path: Path, oldest: float) -> int:
    if path.is_symlink() or path.lstat().st_mtime >= oldest:
        return 0
    if path.is_dir():
        if not any(path.iterdir()):
            path.rmdir()
        return 0
    path.unlink()
    return 1
