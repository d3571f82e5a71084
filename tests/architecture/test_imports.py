"""What may import what, and when."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("pandas", "sklearn", "mlflow", "duckdb", "airflow", "pyarrow", "scipy")
COMMAND_MODULES = sorted(
    f"appliance.cli.commands.{path.stem}"
    for path in (ROOT / "appliance" / "cli" / "commands").glob("*.py")
)


def loaded_after(*modules: str, heavy: tuple[str, ...] = HEAVY) -> set[str]:
    """Return which of the heavy modules importing `modules` in a fresh process loads."""
    code = (
        f"import sys; [__import__(m) for m in {modules!r}]; "
        f"print(*[m for m in {heavy!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "modules",
    [
        ("appliance",),
        ("appliance.__main__", "appliance.cli.main", *COMMAND_MODULES),
        ("appliance.tui.app",),
        ("appliance.control.client",),
        ("store",),
        ("appliance.pipelines.spec", "appliance.pipelines.workflow"),
    ],
    ids=["package", "cli", "tui", "control client", "store", "pipelines"],
)
def test_importing_loads_nothing_heavy(modules: tuple[str, ...]) -> None:
    assert loaded_after(*modules) == set()


def test_the_help_loads_no_validation() -> None:
    modules = ("appliance.__main__", "appliance.cli.main", *COMMAND_MODULES)
    assert loaded_after(*modules, heavy=("pydantic", "httpx", "starlette", "textual")) == set()


def test_the_live_path_loads_neither_mlflow_nor_duckdb_nor_airflow() -> None:
    core = "appliance.pipelines.crypto_forecast.core"
    stages = (f"{core}.stages", f"{core}.preprocess", f"{core}.inference")
    loaded = loaded_after("appliance.forecaster.__main__", *stages)
    assert loaded & {"mlflow", "duckdb", "airflow"} == set()


def test_import_contracts_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
