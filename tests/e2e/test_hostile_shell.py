"""The whole appliance in a home of the oddest name, from a shell in which every variable is broken."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from appliance.config.paths import SOURCE_ROOT
from tests.broken_shell import BROKEN
from tests.e2e.conftest import new_home
from tests.odd_homes import ALL_AT_ONCE

pytestmark = pytest.mark.long


def test_every_workflow_runs_in_the_oddest_home_from_a_broken_shell(tmp_path: Path) -> None:
    appliance = new_home(tmp_path / ALL_AT_ONCE)
    shell = appliance.environment | BROKEN

    def run(*arguments: str) -> None:
        command = [SOURCE_ROOT / "scripts/appliance", *arguments]
        done = subprocess.run(
            command, env=shell, capture_output=True, text=True, timeout=1200, check=False
        )
        assert done.returncode == 0, done.stderr

    try:
        run("up")
        for kind in ("data", "train", "inference", "monitoring"):
            run("run", kind)
    finally:
        run("down")
    assert [path.name for path in tmp_path.iterdir()] == [appliance.paths.home.name]
