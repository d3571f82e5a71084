"""Which error a run's task logs hold, and whether the appliance itself ended the run."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from appliance import clock
from appliance.config.instance_lock import (
    InstanceLock,
    last_stop_at,
    mark_stopping,
    was_stopped_since,
)
from appliance.config.paths import Paths
from appliance.pipelines.task_log import logged_error

DAG, RUN = "shop_train_wf", "manual__2026-01-01T00:00:00+00:00"


def write_log(home: Paths, task: str, *entries: object, attempt: int = 1) -> Path:
    folder = home.airflow / "logs" / f"dag_id={DAG}" / f"run_id={RUN}" / f"task_id={task}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"attempt={attempt}.log"
    lines = [each if isinstance(each, str) else json.dumps(each) for each in entries]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_the_newest_error_of_the_run_is_found_with_its_task(home: Paths) -> None:
    write_log(home, "check_rows", {"level": "info", "event": "all well"})
    write_log(
        home,
        "train_model",
        {"level": "error", "event": "an earlier one"},
        {
            "level": "error",
            "event": "Task failed with exception",
            "error_detail": [{"exc_type": "ValueError", "exc_value": "no\nrows"}],
        },
        {"level": "info", "event": "done"},
        "a line that is no JSON",
    )
    assert logged_error(home, DAG, RUN) == ("train_model", "ValueError: no rows")
    assert logged_error(home, DAG, RUN, "check_rows") == ("", "")
    assert logged_error(home, DAG, "another") == ("", "")


@pytest.mark.parametrize("line", ['{"level": "error", "event": "broken"', "[]", "", '"error"'])
def test_a_log_that_says_nothing_gives_nothing(home: Paths, line: str) -> None:
    write_log(home, "train_model", line)
    assert logged_error(home, DAG, RUN) == ("", "")


def test_when_the_appliance_was_stopped_is_kept_after_its_end(home: Paths) -> None:
    assert last_stop_at(home) is None
    with InstanceLock(home):
        mark_stopping(home)
        assert was_stopped_since(home, None), "it is stopping"
    stopped_at = last_stop_at(home)
    assert stopped_at is not None
    assert clock.now() - stopped_at < timedelta(minutes=1)
    assert was_stopped_since(home, stopped_at - timedelta(seconds=1))
    assert not was_stopped_since(home, stopped_at + timedelta(seconds=1))
    assert not was_stopped_since(home, None)
