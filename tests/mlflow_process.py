"""A real MLflow server for tests, prepared and started as the supervisor does."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

from appliance.config.handover import handed_over
from appliance.config.instance_lock import InstanceLock
from appliance.config.listeners import record_listeners
from appliance.config.ownership import SERVICE_VARIABLE
from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.config.secret import generate_missing
from appliance.config.settings import Settings
from appliance.supervisor.door import Door
from appliance.supervisor.mlflow_service import mlflow_spec
from appliance.supervisor.spec import ServiceSpec


def free_port() -> int:
    """Return a port that nothing listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def appliance_up(paths: Paths) -> Iterator[None]:
    """Hold the home's lock, as a supervisor does."""
    with InstanceLock(paths):
        yield


def server_spec(paths: Paths, settings: Settings | None = None) -> ServiceSpec:
    """Return the spec of a home's server behind a door of its own, recorded like the supervisor's."""
    generate_missing(paths)
    door = Door("mlflow", 0)
    record_listeners(paths, [door.listener])
    ports = {"mlflow": door.port, "airflow": free_port(), "simulator": free_port()}
    return mlflow_spec(paths, settings or Settings(), ports, door)


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
    """Run a prepared server until the block ends; its port is then closed for good."""
    assert spec.door is not None
    reader, writer = os.pipe()
    process = subprocess.Popen(
        spec.command,
        cwd=SOURCE_ROOT,
        env={
            **os.environ,
            **spec.environment,
            **handed_over(spec.door.descriptor, writer),
            SERVICE_VARIABLE: spec.name,
        },
        pass_fds=(spec.door.descriptor, writer),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(writer)
    spec.door.close()
    try:
        is_heard, _, _ = select.select([reader], [], [], 90)
        assert is_heard and os.read(reader, 1), "MLflow's server does not serve"
        yield process
    finally:
        os.close(reader)
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
            *command,
            cwd=SOURCE_ROOT,
            env={**os.environ, **chosen, SERVICE_VARIABLE: self._spec.name},
        )
        return await run.wait()
