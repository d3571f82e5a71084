"""Old logs."""

from __future__ import annotations

import os
from datetime import timedelta

from appliance.config.paths import Paths
from appliance.supervisor.disk import prune_airflow_logs


def test_only_old_airflow_logs_and_empty_folders_go(home: Paths) -> None:
    logs = home.airflow / "logs" / "dag" / "run"
    logs.mkdir(parents=True)
    old, new, empty = logs / "old.log", logs / "new.log", home.airflow / "logs" / "empty"
    empty.mkdir()
    for path in (old, new):
        path.write_text("x")
    for path in (old, empty):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    assert prune_airflow_logs(home, timedelta(days=14)) == 1
    assert [path.name for path in logs.iterdir()] == ["new.log"]
    assert not empty.exists()
