"""Who only names the store loads no database."""

from __future__ import annotations

import subprocess
import sys

import pytest

from appliance.config.paths import SOURCE_ROOT

_HEAVY = {"duckdb", "pyarrow", "pandas", "mlflow"}


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("store", set()),
        ("store.open", set()),
        ("store.session", set()),
        ("store.candles", set()),
        ("store.forecasts", set()),
        ("store.events", set()),
        ("store.reset", set()),
        ("store.client", {"pyarrow"}),
    ],
)
def test_an_import_loads_only_what_it_needs(module: str, allowed: set[str]) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=SOURCE_ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert _HEAVY & set(loaded) <= allowed
