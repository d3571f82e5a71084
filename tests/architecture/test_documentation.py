"""The documents name every command, setting and secret."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import pytest
from pydantic import BaseModel

from appliance.cli.main import COMMANDS
from appliance.config.secret import Secret
from appliance.config.settings import ProjectSettings, Settings

ROOT = Path(__file__).parents[2]
MANUALS = ("README.md", "README.ko.md")
HIDDEN = {"init"}


def setting_keys() -> list[str]:
    """Return every key of every section."""
    models: list[type[BaseModel]] = [ProjectSettings]
    models += [
        field.annotation
        for field in Settings.model_fields.values()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    ]
    return sorted({key for model in models for key in model.model_fields})


@pytest.mark.parametrize("manual", MANUALS)
def test_every_command_is_documented(manual: str) -> None:
    text = (ROOT / manual).read_text(encoding="utf-8")
    assert [name for name in COMMANDS if name not in HIDDEN and name not in text] == []


@pytest.mark.parametrize("manual", MANUALS)
def test_every_setting_is_documented(manual: str) -> None:
    text = (ROOT / manual).read_text(encoding="utf-8")
    assert [key for key in setting_keys() if f"`{key}`" not in text] == []


@pytest.mark.parametrize("manual", MANUALS)
def test_every_secret_is_documented(manual: str) -> None:
    text = (ROOT / manual).read_text(encoding="utf-8")
    assert [secret.value for secret in Secret if secret.value not in text] == []


def test_every_setting_has_a_docstring() -> None:
    tree = ast.parse((ROOT / "appliance" / "config" / "settings.py").read_text(encoding="utf-8"))
    undocumented = [
        f"{section.name}.{ast.unparse(field.target)}"
        for section in tree.body
        if isinstance(section, ast.ClassDef) and section.name.endswith("Settings")
        for field, following in itertools.pairwise([*section.body, ast.Pass()])
        if isinstance(field, ast.AnnAssign) and section.name != "Settings"
        if not (isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant))
    ]
    assert undocumented == []
