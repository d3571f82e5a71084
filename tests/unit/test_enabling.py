"""Enabling a project changes one key of this machine's file and nothing else."""

from __future__ import annotations

import pytest

from appliance.config.enabling import enable_project
from appliance.config.paths import Paths
from appliance.config.settings import load_settings
from appliance.errors import ConfigError
from appliance.pipelines import command

PROJECT = "crypto_forecast"


def test_a_project_is_disabled_and_enabled_again_in_its_own_file(home: Paths) -> None:
    file = home.compose / "projects" / f"{PROJECT}.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text('# mine\npromotion = "manual"\n\n[overrides]\nunit = 60\n')
    assert enable_project(home, PROJECT, is_enabled=False)
    assert not load_settings(home).projects[PROJECT].enabled
    assert not enable_project(home, PROJECT, is_enabled=False)
    assert enable_project(home, PROJECT, is_enabled=True)
    project = load_settings(home).projects[PROJECT]
    assert (project.enabled, project.promotion) == (True, "manual")
    assert project.overrides["unit"] == 60
    assert "# mine" in file.read_text()


def test_a_variable_that_counts_more_is_named(home: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = "APPLIANCE__PROJECTS__CRYPTO_FORECAST__ENABLED"
    monkeypatch.setenv(variable, "true")
    with pytest.raises(ConfigError, match=variable):
        enable_project(home, PROJECT, is_enabled=False)


def test_the_run_py_of_a_disabled_project_runs_nothing(
    home: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    enable_project(home, PROJECT, is_enabled=False)
    assert command.main(PROJECT, ["krw_btc_1m", "--workflow", "train"]) == command.USAGE
    assert f"appliance project enable {PROJECT}" in capsys.readouterr().err
    assert not home.store_file.exists()
