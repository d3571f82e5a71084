"""What may import what, and when."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from appliance.config.paths import Paths

ROOT = Path(__file__).parents[2]
HEAVY = ("pandas", "sklearn", "mlflow", "duckdb", "airflow", "pyarrow", "scipy")
COMMAND_MODULES = sorted(
    f"appliance.cli.commands.{path.stem}"
    for path in (ROOT / "appliance" / "cli" / "commands").glob("*.py")
)


LISTING = {
    "appliance",
    "appliance.__main__",
    "appliance.cli",
    *(f"appliance.cli.{name}" for name in ("common_options", "examples", "exit_code", "failure")),
    *(f"appliance.cli.{name}" for name in ("main", "output", "session", "summaries")),
    "appliance.clock",
    "appliance.config",
    *(f"appliance.config.{name}" for name in ("arguments", "display", "environment", "forms")),
    *(f"appliance.config.{name}" for name in ("layers", "paths", "private_folder", "problem")),
    *(f"appliance.config.{name}" for name in ("reading", "toml_lines", "when")),
    "appliance.errors",
    "appliance.terminal",
    "appliance.zone",
}
"""What of ours the help and the completion of command names load: every command starts with it."""
SLOW = ("asyncio", "hashlib", "json", "logging", "pydantic", "subprocess", "tempfile", "unittest")
"""What of Python and other libraries would make them slower."""
COMPLETION = {
    "_APPLIANCE_COMPLETE": "bash_complete",
    "COMP_WORDS": "appliance s",
    "COMP_CWORD": "1",
}


def loaded_by_command(
    home: Paths, *arguments: str, variables: Mapping[str, str] | None = None
) -> set[str]:
    """Return all modules that a command line of ours has loaded at its end, in a fresh process."""
    code = (
        "import sys, atexit; from appliance.__main__ import main; "
        "atexit.register(lambda: print('loaded:', *sys.modules, file=sys.stderr)); main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "APPLIANCE_HOME": str(home.home), **(variables or {})},
    )
    return set(done.stderr.rpartition("loaded:")[2].split())


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


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [(["--help"], {}), ([], COMPLETION)],
    ids=["help", "completion of a command"],
)
def test_listing_the_commands_loads_none_of_them(
    home: Paths, arguments: list[str], variables: Mapping[str, str]
) -> None:
    loaded = loaded_by_command(home, *arguments, variables=variables)
    ours = {name for name in loaded if name.partition(".")[0] in {"appliance", "store"}}
    assert ours == LISTING
    assert loaded & set(SLOW) == set()


@pytest.mark.parametrize(
    "modules",
    [
        ("appliance.cli.commands.observe", "appliance.control.client", "appliance.control.decode"),
        ("appliance.control.recording.replay", "appliance.tui.app"),
    ],
    ids=["status", "dashboard"],
)
def test_reading_the_appliance_loads_no_validation(modules: tuple[str, ...]) -> None:
    assert loaded_after(*modules, heavy=("pydantic", "httpx", "starlette", "uvicorn")) == set()


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
