"""A project's changed code is read anew by processes that live long."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import appliance.pipelines
from appliance.config.settings import Settings
from appliance.errors import ConfigError
from appliance.pipelines.code_watch import CodeWatch
from appliance.pipelines.spec import describe_project
from appliance.project_kit.scaffold import create_project

NAME = "watched"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The config file of a project that is imported from a folder of its own."""
    create_project(NAME, tmp_path)
    package = tmp_path / "appliance" / "pipelines" / NAME
    folders = [*appliance.pipelines.__path__, str(package.parent)]
    monkeypatch.setattr(appliance.pipelines, "__path__", folders)
    yield package / "configs" / "krw_btc_1m.py"
    for module in [name for name in sys.modules if name.startswith(f"appliance.pipelines.{NAME}")]:
        del sys.modules[module]


def test_changed_code_counts_from_the_next_use(config: Path) -> None:
    watch = CodeWatch()
    assert watch.changed([NAME]) == []
    assert describe_project(Settings(), NAME).horizon == 30
    config.write_text(config.read_text().replace("Horizon = 30", "Horizon = 240"))
    assert describe_project(Settings(), NAME).horizon == 30
    assert watch.changed([NAME]) == [NAME]
    assert describe_project(Settings(), NAME).horizon == 240
    assert watch.changed([NAME]) == []


def test_code_that_does_not_import_is_an_error_with_its_place_until_it_does(config: Path) -> None:
    watch, text = CodeWatch(), config.read_text()
    watch.changed([NAME])
    config.write_text(text + "\nprint(undefined)\n")
    watch.changed([NAME])
    with pytest.raises(ConfigError, match=r"NameError.*krw_btc_1m\.py, line \d+") as raised:
        describe_project(Settings(), NAME)
    assert raised.value.hint == f"correct it, then `appliance project check {NAME}`"
    config.write_text(text + "\nclass\n")
    assert watch.changed([NAME]) == [NAME]
    with pytest.raises(ConfigError, match=r"SyntaxError.*krw_btc_1m\.py, line \d+"):
        describe_project(Settings(), NAME)
    config.write_text(text)
    assert watch.changed([NAME]) == [NAME]
    assert describe_project(Settings(), NAME).horizon == 30


def test_a_project_that_appears_or_goes_has_changed(config: Path) -> None:
    watch = CodeWatch()
    assert watch.changed(["absent", NAME]) == []
    for path in sorted(config.parents[1].rglob("*.py")):
        path.unlink()
    assert watch.changed(["absent", NAME]) == [NAME]
