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
HOMES = 2


@contextmanager
def all_up(folder: Path) -> Iterator[list[Running]]:
    """Start several homes side by side; bring all down."""
    homes = [new_home(folder / f"home{number}") for number in range(HOMES)]
    try:
        starts = [
            subprocess.Popen(
                [sys.executable, "-m", "appliance", "up", "--timeout", "400"],
                env=home.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for home in homes
        ]
        for start in starts:
            output, _ = start.communicate(timeout=420)
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


def test_homes_started_at_once_are_all_ready_and_no_stranger_is_told_anything(
    tmp_path: Path, other_user: str
) -> None:
    with ExitStack() as stack:
        strangers: list[Squatter] = [
            stack.enter_context(
                squatting(tmp_path / f"{user}-{port}", port, patience=900, user=user)
            )
            for port in DEFAULTS
            for user in (None, other_user)
        ]
        first, second = stack.enter_context(all_up(tmp_path))
        taken = [
            listener for home in (first, second) for listener in recorded_listeners(home.paths)
        ]
        for listener in taken:
            prove(listener)
        assert len({listener.port for listener in taken}) == 3 * HOMES
        with mlflow_of(first.paths) as ours, mlflow_of(second.paths) as theirs:
            assert ours.post("create", json={"name": "of the first home"}).is_success
            asked = {"experiment_name": "of the first home"}
            assert ours.get("get-by-name", params=asked).is_success
            assert theirs.get("get-by-name", params=asked).status_code == 404
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
