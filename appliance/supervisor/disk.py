"""Free space at the home, and old files that may go."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

from appliance import clock
from appliance.config.paths import Paths
from appliance.errors import ServiceError

LOW_BYTES = 500_000_000
LOG_RETENTION = timedelta(days=14)


def low_disk(paths: Paths, low_bytes: int = LOW_BYTES) -> ServiceError | None:
    """Return the problem of a nearly full disk in words, None while there is room."""
    free = shutil.disk_usage(paths.home).free
    if free >= low_bytes:
        return None
    return ServiceError(
        f"only {free / 1e6:.0f} MB are free at {paths.home}; writes will fail when it is full",
        code="disk.low",
        hint=f"free at least {low_bytes / 1e6:.0f} MB there; `du -sh {paths.home}/*` shows what takes space",
        free_bytes=free,
    )


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
