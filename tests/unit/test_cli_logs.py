"""`appliance logs`: services and tasks, from their files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from appliance.cli.exit_code import ExitCode
from appliance.cli.main import run
from appliance.config.paths import Paths
from appliance.control.api import Control

STAMP = {"timestamp": "2026-03-01T12:00:00Z"}
SHOWN = "2026-03-01T21:00:00+09:00"


def no_dashboard(control: Control) -> int:
    raise AssertionError("no dashboard was asked for")


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str], str]:
    """Run `appliance logs` and return its code, the lines of its output, and what it told."""
    code = run(["logs", *arguments], no_dashboard)
    captured = capsys.readouterr()
    return code, captured.out.splitlines(), captured.err


@pytest.fixture
def runs(home: Paths) -> Paths:
    """Two runs of train, in the newer of which evaluate failed."""
    folder = home.airflow / "logs" / "dag_id=crypto_forecast_train_wf"
    for age, run_id in ((20, "old"), (10, "new")):
        for number, task in enumerate(("load", "evaluate")):
            path = folder / f"run_id={run_id}" / f"task_id={task}" / "attempt=1.log"
            path.parent.mkdir(parents=True)
            is_failed = (run_id, task) == ("new", "evaluate")
            level = "error" if is_failed else "info"
            entries = [{**STAMP, "level": level, "event": f"{run_id} {task} {n}"} for n in range(9)]
            path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
            _set_age(path, age - number)
        _set_age(folder / f"run_id={run_id}", age)
    return home


def _set_age(path: Path, seconds: int) -> None:
    at = 1_800_000_000 - seconds
    os.utime(path, (at, at))


def test_a_services_log_reaches_into_its_rotated_files(
    home: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    home.logs.mkdir(parents=True, exist_ok=True)
    (home.logs / "mlflow.log.1").write_text("one\ntwo\n")
    (home.logs / "mlflow.log").write_text("three\nfour\n")
    assert shown(capsys, "mlflow", "-n", "3")[:2] == (ExitCode.DONE, ["two", "three", "four"])
    code, _, said = shown(capsys, "mlfow")
    assert code == ExitCode.USAGE
    assert "mlflow" in said


def test_a_workflows_newest_run_shows_the_task_that_failed(
    runs: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    del runs
    code, lines, said = shown(capsys, "--run", "train", "-n", "2")
    assert code == ExitCode.DONE
    assert lines == [f"{SHOWN} error   new evaluate 7", f"{SHOWN} error   new evaluate 8"]
    assert "crypto_forecast_train_wf new: evaluate, try 1" in said
    assert shown(capsys, "--run", "new", "--task", "load", "-n", "1")[1] == [
        f"{SHOWN} info    new load 8"
    ]
    assert shown(capsys, "--run", "old", "-n", "1")[1] == [f"{SHOWN} info    old evaluate 8"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--run", "nothing"), "no log of a run"),
        (("--run", "train", "--task", "lod"), "load"),
        (("--task", "load"), "--task needs --run"),
        (("mlflow", "--run", "train"), "not both"),
    ],
)
def test_what_there_is_not_is_refused(
    runs: Paths, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    del runs
    code, _, said = shown(capsys, *arguments)
    assert code == ExitCode.USAGE
    assert words in said
