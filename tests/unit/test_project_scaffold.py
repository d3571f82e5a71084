"""Making a project: which names, which files, all or nothing, and no way for the template to rot."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.config.paths import SOURCE_ROOT
from appliance.domain.workflow import WorkflowKind, dag_id
from appliance.errors import ConfigError
from appliance.project_kit.scaffold import create_project, render

FIRST = "crypto_forecast"
SAME = (
    *(Path("dags", f"{dag_id(FIRST, kind)}.py") for kind in WorkflowKind),
    *(
        Path("appliance", "pipelines", FIRST, "core", f"{step}.py")
        for step in ("load", "preprocess", "train", "evaluate", "inference", "monitor", "stages")
    ),
    Path("appliance", "pipelines", FIRST, "loader", "candle_loader.py"),
)
"""Files in which the first project and the template are the same but for the name."""


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_project_is_its_folder_four_dag_files_a_configuration_and_tests(tmp_path: Path) -> None:
    made = create_project("second", tmp_path)
    assert {str(path) for path in made} == {
        "appliance/pipelines/second",
        *(f"dags/second_{kind}_wf.py" for kind in WorkflowKind),
        "compose/projects/second.toml",
        "tests/projects/test_second.py",
    }
    assert files_below(tmp_path) == {str(path) for path in render("second")}
    assert all("template" not in path.read_text() for path in tmp_path.rglob("*.py"))
    assert (tmp_path / made[1]).stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("MyProject", "my_project"),
        ("btc-daily", "btc_daily"),
        ("2nd", "nd"),
        ("a__b", "a_b"),
        ("_hidden", "hidden"),
        ("class", "class_forecast"),
        ("match", "match_forecast"),
        ("forecasting", "my_forecasting"),
        ("store", "my_store"),
        ("x" * 33, "x" * 32),
        ("", "another name"),
        ("../escape", "escape"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_with_one_that_can(
    tmp_path: Path, name: str, suggestion: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        create_project(name, tmp_path)
    assert suggestion in raised.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "taken", ["appliance/pipelines/second/notes.txt", "dags/second_train_wf.py"]
)
def test_nothing_is_overwritten(tmp_path: Path, taken: str) -> None:
    file = tmp_path / taken
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    with pytest.raises(ConfigError, match="something called second"):
        create_project("second", tmp_path)
    assert files_below(tmp_path) == {taken}
    assert file.read_text() == "mine"


def test_nothing_is_left_behind_when_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "compose").write_text("a file where a folder belongs")
    with pytest.raises(ConfigError, match="cannot be written") as raised:
        create_project("second", tmp_path)
    assert "nothing was left behind" in raised.value.hint
    assert files_below(tmp_path) == {"compose"}


def test_the_template_is_what_the_first_project_is() -> None:
    rendered = render(FIRST)
    for path in SAME:
        assert rendered[path] == (SOURCE_ROOT / path).read_text(encoding="utf-8"), path


@pytest.mark.parametrize("name", ["alpha", "second", "z" + "_forecasts" * 3])
def test_a_new_project_passes_lint_and_format(tmp_path: Path, name: str) -> None:
    create_project(name, tmp_path)
    (tmp_path / "pyproject.toml").write_text((SOURCE_ROOT / "pyproject.toml").read_text())
    ruff = Path(sys.executable).parent / "ruff"
    for arguments in (["check", "--no-cache", "."], ["format", "--no-cache", "--check", "."]):
        done = subprocess.run(
            [ruff, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


def run_cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "appliance", *arguments],
        cwd=SOURCE_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_unknown_project_exits_2_and_names_the_nearest() -> None:
    done = run_cli("project", "check", "crypto_forcast")
    assert done.returncode == 2
    assert "did you mean 'crypto_forecast'?" in done.stderr
    assert done.stdout == ""


def test_a_refused_name_exits_2_and_makes_nothing() -> None:
    done = run_cli("new-project", "Crypto-Forecast")
    assert done.returncode == 2
    assert "appliance new-project crypto_forecast" in done.stderr
    assert run_cli("new-project", "crypto_forecast").returncode == 2


def test_projects_are_listed() -> None:
    listed = json.loads(run_cli("project", "list", "--json").stdout)
    assert {"project": FIRST, "enabled": True, "problem": ""}.items() <= listed[0].items()
