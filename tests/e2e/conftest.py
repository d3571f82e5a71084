"""One running appliance on the simulator for all end-to-end tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from appliance.config.paths import Paths
from appliance.control.client import ControlClient
from tests.waiting import wait_until


@dataclass(frozen=True)
class Running:
    """A home with an appliance in it, and its command line."""

    paths: Paths
    environment: dict[str, str]

    @property
    def control(self) -> ControlClient:
        """A client of its control API."""
        return ControlClient(self.paths)

    def cli(self, *arguments: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        """Run `appliance` with arguments in this home."""
        return subprocess.run(
            [sys.executable, "-m", "appliance", *arguments],
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def json(self, *arguments: str) -> Any:
        """Run a command with `--json` and return what it printed."""
        done = self.cli(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


COMPOSE = """
[source]
kind = "simulator"
[simulator]
start = "2026-03-02T09:30:00Z"
[ingest]
history_candles = 6000
"""
"""A simulated time at which the first model's coverage is inside its band, whatever time it is here."""


def new_home(folder: Path, text: str = "", config: str = "krw_btc_1m") -> Running:
    """Make a home on the simulator with a short history; by default a project with a candle a minute."""
    paths = Paths(folder)
    paths.create()
    (paths.compose / "appliance.toml").write_text(text or COMPOSE)
    (paths.compose / "projects").mkdir()
    (paths.compose / "projects" / "crypto_forecast.toml").write_text(f'config = "{config}"\n')
    environment = {k: v for k, v in os.environ.items() if not k.startswith("APPLIANCE_")}
    return Running(paths, {**environment, "APPLIANCE_HOME": str(paths.home)})


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    """An appliance with a champion; brought down, and checked to be gone, at the end."""
    with tempfile.TemporaryDirectory(prefix="appliance-e2e-") as folder:
        appliance = new_home(Path(folder) / "home")
        done = appliance.cli("up")
        try:
            assert done.returncode == 0, done.stderr
            wait_until(
                lambda: appliance.control.status().projects[0].champion,
                seconds=400,
                message="a first champion",
            )
            yield appliance
        finally:
            assert appliance.cli("down").returncode == 0
