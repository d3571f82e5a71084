"""Homes that start at once, with strangers after their ports: each serves its own, and tells nobody."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from appliance.config.listeners import prove, recorded_listener, recorded_listeners
from appliance.config.paths import Paths
from appliance.config.ports import service_url
from appliance.config.proven_http import ProvenTransport
from appliance.registry.credentials import HomeCredentials
from tests.e2e.conftest import Running, new_home
from tests.squatter import Squatter, squatting

pytestmark = pytest.mark.long

DEFAULTS = (5000, 8080)
START_SECONDS = 200
"""For each home: all of them share the machine's cores."""


@contextmanager
def all_up(folder: Path, count: int) -> Iterator[list[Running]]:
    """Start several homes side by side; bring all down."""
    homes = [new_home(folder / f"home{number}") for number in range(count)]
    seconds = START_SECONDS * count
    try:
        starts = [
            subprocess.Popen(
                [sys.executable, "-m", "appliance", "up", "--timeout", str(seconds)],
                env=home.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for home in homes
        ]
        for start in starts:
            output, _ = start.communicate(timeout=seconds + 30)
            assert start.returncode == 0, output
        yield homes
    finally:
        for home in homes:
            home.cli("down")


def mlflow_of(paths: Paths) -> httpx.Client:
    return httpx.Client(
        base_url=f"{service_url(paths, 'mlflow')}/api/2.0/mlflow/experiments/",
        auth=HomeCredentials(paths),
        transport=ProvenTransport(paths, "mlflow"),
        timeout=60,
    )


def experiments_of(paths: Paths) -> list[str]:
    with mlflow_of(paths) as mlflow:
        found = mlflow.post("search", json={"max_results": 100}).json()["experiments"]
    return [item["name"] for item in found if item["name"].startswith("of home")]


def test_homes_started_at_once_are_all_ready_and_no_stranger_is_told_anything(
    tmp_path: Path, other_user: str, request: pytest.FixtureRequest
) -> None:
    count = request.config.getoption("--homes")
    with ExitStack() as stack:
        strangers: list[Squatter] = [
            stack.enter_context(
                squatting(tmp_path / f"{user}-{port}", port, patience=3600, user=user)
            )
            for port in DEFAULTS
            for user in (None, other_user)
        ]
        homes = stack.enter_context(all_up(tmp_path, count))
        taken = [listener for home in homes for listener in recorded_listeners(home.paths)]
        for listener in taken:
            prove(listener)
        assert len({listener.port for listener in taken}) == 3 * count
        for number, home in enumerate(homes):
            with mlflow_of(home.paths) as mlflow:
                assert mlflow.post("create", json={"name": f"of home {number}"}).is_success
        for number, home in enumerate(homes):
            assert experiments_of(home.paths) == [f"of home {number}"]
        first, second = homes[0], homes[-1]
        port = recorded_listener(first.paths, "mlflow").port
        strangers.append(
            stack.enter_context(squatting(tmp_path / "after", port, patience=300, user=other_user))
        )
        assert first.cli("down").returncode == 0
        strangers[-1].wait_for_port()
        assert first.cli("status").returncode != 0
        assert first.cli("models").returncode == 0
        assert first.cli("run", "data").returncode == 0
        assert second.cli("run", "data").returncode == 0
        assert [stranger.was_sent() for stranger in strangers] == [b""] * len(strangers)
