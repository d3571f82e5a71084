"""A real MLflow server for tests, started as the supervisor starts it."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx

from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.config.ports import write_ports
from appliance.config.settings import Settings
from appliance.supervisor.mlflow_service import mlflow_spec
from tests.waiting import wait_until


def free_port() -> int:
    """Return a port that nothing listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def appliance_up(paths: Paths) -> Iterator[None]:
    """Listen on the control socket, as a supervisor does."""
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(os.fspath(paths.control_socket))
        listener.listen()
        try:
            yield
        finally:
            paths.control_socket.unlink()


@contextmanager
def running_mlflow(paths: Paths) -> Iterator[str]:
    """Run the server of a home; yields its URL; on leaving nothing of it is left."""
    from appliance.registry.client import open_registry

    port = free_port()
    ports = {"mlflow": port, "airflow": free_port(), "simulator": free_port()}
    write_ports(paths, ports)
    open_registry(paths, Settings()).versions("nothing")  # creates the database
    spec = mlflow_spec(paths, Settings(), ports)
    process = subprocess.Popen(
        spec.command,
        cwd=SOURCE_ROOT,
        env={**os.environ, **spec.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: _is_healthy(url), 90, "MLflow's server does not answer")
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _is_healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False
