"""Everything that makes prepared rows is in their digest."""

from __future__ import annotations

import ast
from pathlib import Path

import appliance.pipelines.forecasting
from appliance.pipelines.forecasting.row_digest import OWN, SHARED

PIPELINES = Path(appliance.pipelines.forecasting.__path__[0]).parent
SHARED_PACKAGE = "appliance.pipelines.forecasting."
DESCRIBES_ONLY = {"forecast_spec.py"}
"""Parameters: they are in the digest by value."""


def imported(path: Path) -> set[str]:
    """Return the files of `forecasting` that a file imports, in whatever way."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    names = {str(module).removeprefix(SHARED_PACKAGE) for module in modules if module}
    files = {f"{name.replace('.', '/')}.py" for name in names}
    return {file for file in files if (PIPELINES / "forecasting" / file).is_file()}


def test_shared_code_that_makes_rows_is_in_the_digest() -> None:
    projects = (PIPELINES / "template", PIPELINES / "crypto_forecast")
    own = [path for project in projects for part in OWN for path in (project / part).rglob("*.py")]
    reached, pending = set[str](), {file for path in own for file in imported(path)}
    while pending := pending - reached - DESCRIBES_ONLY:
        reached |= pending
        pending = {file for each in pending for file in imported(PIPELINES / "forecasting" / each)}
    assert reached == set(SHARED)
