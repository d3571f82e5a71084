"""What made prepared rows: a digest of the code and the parameters that they depend on."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from weakref import WeakKeyDictionary

import appliance.pipelines.forecasting
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.spec import project_folder

OWN = ("loader", "preprocessor", "utils")
"""Folders of a project whose code makes its rows."""
SHARED = (
    *("loader/candle_loader.py", "preprocessor/data_preparation.py"),
    *("preprocessor/labels.py", "preprocessor/preprocess.py"),
)
"""Files of `forecasting` that do."""

_PACKAGE = "appliance.pipelines."
_LENGTH = 16
_codes: WeakKeyDictionary[type, str] = WeakKeyDictionary()


def row_digest(spec: ForecastSpec) -> str:
    """Return 16 hexadecimal digits that stand for the code and the parameters of a config's rows.

    Comments, docstrings and layout do not count. The files are read once for each import of the config's
    class, since what runs is the code that was imported.
    """
    config = type(spec)
    if config not in _codes:
        _codes[config] = _code_digest(config)
    made_by = {
        "code": _codes[config],
        "unit": spec.unit,
        "lookback": spec.features.lookback(spec.unit),
        "features": spec.features.model_dump(mode="json"),
    }
    return _digest(json.dumps(made_by, sort_keys=True))


def _code_digest(config: type) -> str:
    return _digest("\n".join(f"{path.name}\n{_meaning(path)}" for path in _files(config)))


def _files(config: type) -> Iterator[Path]:
    shared = Path(appliance.pipelines.forecasting.__path__[0])
    yield from (shared / name for name in SHARED)
    if config.__module__.startswith(_PACKAGE):
        folder = project_folder(config.__module__.removeprefix(_PACKAGE).partition(".")[0])
        for name in OWN:
            yield from sorted((folder / name).rglob("*.py"))


def _meaning(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            has_docstring = ast.get_docstring(node, clean=False) is not None
            node.body = node.body[1:] if has_docstring else node.body
    return ast.dump(tree)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]
