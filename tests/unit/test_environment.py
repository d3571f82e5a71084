"""Of the user's shell our processes get named variables only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.config.environment import CARRIED, OUTBOUND, clean
from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.supervisor.environment import base_environment
from tests.broken_shell import BROKEN

EARLY = ("PYTHON", "LD_", "LC_", "LANG", "OPENSSL")
"""What works before the first line of ours runs."""


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in BROKEN.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("shell")
def test_a_service_gets_no_variable_of_the_shell_but_named_ones(home: Paths) -> None:
    carried = {CARRIED + name for name in OUTBOUND}
    allowed = {"PATH", "HOME", "USER", "LOGNAME", "APPLIANCE_HOME", "LANG", "MALLOC_ARENA_MAX"}
    allowed |= {"PYTHONUTF8", "PYTHONSAFEPATH", "PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONWARNINGS"}
    environment = base_environment(home)
    assert set(environment) <= allowed | carried
    for name in allowed & set(BROKEN):
        assert environment[name] != BROKEN[name]


def test_a_cleaned_environment_stays_as_it_is() -> None:
    once = clean({**BROKEN, "HOME": "/home/me", "APPLIANCE__INGEST__MARKETS": '["KRW-XRP"]'})
    assert clean(once) == once
    assert once[CARRIED + "ALL_PROXY"] == "socks5h://127.0.0.1:9"
    assert once["APPLIANCE__INGEST__MARKETS"] == '["KRW-XRP"]'


def test_the_search_path_has_no_relative_folder_and_always_the_system(tmp_path: Path) -> None:
    path = clean({"PATH": f":.:bin:{tmp_path}"})["PATH"].split(os.pathsep)
    assert path[0] == str(Path(sys.executable).parent)
    assert str(tmp_path) in path
    assert "/usr/bin" in path
    assert all(map(os.path.isabs, path))


def test_a_usable_temporary_folder_is_kept(tmp_path: Path) -> None:
    assert clean({"TMPDIR": str(tmp_path)})["TMPDIR"] == str(tmp_path)
    assert "TMPDIR" not in clean({"TMPDIR": str(tmp_path / "missing")})


@pytest.mark.parametrize("name", [name for name in BROKEN if name.startswith(EARLY)])
def test_the_command_runs_whatever_a_variable_says(name: str, home: Paths) -> None:
    _answers_as_ever({name: BROKEN[name]}, home)


def test_the_command_runs_whatever_all_of_them_say(home: Paths) -> None:
    _answers_as_ever(BROKEN, home)


def test_a_module_of_the_working_directory_is_not_ours(home: Paths, tmp_path: Path) -> None:
    for name in ("json.py", "random.py", "click.py", "appliance.py"):
        (tmp_path / name).write_text("raise SystemExit('a stranger')\n")
    _answers_as_ever({}, home, tmp_path)


def _answers_as_ever(variables: dict[str, str], home: Paths, folder: Path | None = None) -> None:
    done = subprocess.run(
        [SOURCE_ROOT / "scripts/appliance", "status", "--json"],
        env=os.environ | variables | {"APPLIANCE_HOME": str(home.home)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "no appliance answers" in done.stdout + done.stderr
