"""A real MLflow server for tests, prepared and started as the supervisor does."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

import httpx

from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.config.ports import write_ports
from appliance.config.secret import generate_missing
from appliance.config.settings import Settings
from appliance.supervisor.mlflow_service import mlflow_spec
from appliance.supervisor.spec import ServiceSpec
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


def server_spec(paths: Paths, settings: Settings | None = None) -> ServiceSpec:
    """Return the spec of a home's server on a free port."""
    ports = {name: free_port() for name in ("mlflow", "airflow", "simulator")}
    write_ports(paths, ports)
    generate_missing(paths)
    return mlflow_spec(paths, settings or Settings(), ports)


@contextmanager
def running_mlflow(paths: Paths, settings: Settings | None = None) -> Iterator[str]:
    """Run the server of a home; yields its URL; on leaving nothing of it is left."""
    spec = server_spec(paths, settings)
    prepare(spec)
    with running(spec) as process:
        yield f"http://{spec.endpoint}"
        assert process.poll() is None, "MLflow's server died"


def prepare(spec: ServiceSpec) -> None:
    """Do what comes before a start."""
    assert spec.prepare is not None
    asyncio.run(spec.prepare(_Bench(spec)))  # type: ignore[arg-type]


@contextmanager
def running(spec: ServiceSpec) -> Iterator[subprocess.Popen[bytes]]:
    """Run a prepared server and wait until it answers."""
    process = subprocess.Popen(
        spec.command,
        cwd=SOURCE_ROOT,
        env={**os.environ, **spec.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        url = f"http://{spec.endpoint}"
        wait_until(lambda: _is_healthy(url), 90, "MLflow's server does not answer")
        yield process
    finally:
        process.terminate()
        process.wait(20)


class _Bench:
    """Runs a preparation's commands (`Workbench`)."""

    def __init__(self, spec: ServiceSpec) -> None:
        self._spec = spec

    def say(self, reason: str) -> None:
        """Nobody listens."""

    async def execute(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        text: str = "",
    ) -> int:
        """Run one command."""
        chosen = self._spec.environment if environment is None else environment
        run = await asyncio.create_subprocess_exec(
            *command, cwd=SOURCE_ROOT, env={**os.environ, **chosen}
        )
        return await run.wait()


def _is_healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False
