"""MLflow's tracking server and registry: one process behind `appliance.registry.gate`."""

from __future__ import annotations

import hashlib
import importlib.metadata
import sys

from appliance.config.paths import Paths, write_atomically
from appliance.config.secret import Secret, require_secret
from appliance.config.settings import Settings
from appliance.config.state_file import has_content
from appliance.errors import ServiceError
from appliance.registry.credentials import authorization
from appliance.registry.location import (
    artifact_root,
    database_uri,
    has_sqlite_to_move,
    s3_environment,
)
from appliance.supervisor.door import Door
from appliance.supervisor.environment import (
    base_environment,
    mlflow_client,
    thread_limits,
)
from appliance.supervisor.probes import MlflowProbe
from appliance.supervisor.spec import Preparation, ProbeTiming, ServiceSpec, Workbench

NAME = "mlflow"
_PREPARED = 2
"""Number of what a preparation does, so that a home gets what later ones do more."""


def mlflow_spec(paths: Paths, settings: Settings, ports: dict[str, int], door: Door) -> ServiceSpec:
    """Return the service.

    `mlflow server` imports MLflow in a parent that only waits for the server proper, which costs
    200 MB and doubles the start; this starts the server proper as that parent would.
    """
    require_secret(paths, Secret.MLFLOW_PASSWORD)
    environment = (
        base_environment(paths)
        | mlflow_client(ports)
        | s3_environment(paths, settings)
        | _server_environment(paths, settings)
        | thread_limits()
    )
    return ServiceSpec(
        name=NAME,
        command=(
            *(sys.executable, "-m", "appliance.supervisor.asgi_service"),
            "appliance.registry.served:app",
        ),
        environment=environment,
        prepare=_preparation(paths, settings, environment),
        files=() if settings.mlflow.database_url else (paths.mlflow_database,),
        probe=MlflowProbe(door.listener, lambda: authorization(paths)),
        endpoint=door.address,
        door=door,
        stop_stage=1,
        timing=ProbeTiming(ready=5.0),
    )


def _server_environment(paths: Paths, settings: Settings) -> dict[str, str]:
    """Return what `mlflow server` hands to its server process (`mlflow.server._run_server`)."""
    database = database_uri(paths, settings)
    return {
        "_MLFLOW_SERVER_FILE_STORE": database,
        "_MLFLOW_SERVER_REGISTRY_STORE": database,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": artifact_root(paths, settings).uri,
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SGI_NAME": "uvicorn",
        "_MLFLOW_IN_JOB_EXECUTOR": "false",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


def _preparation(paths: Paths, settings: Settings, environment: dict[str, str]) -> Preparation:
    """Return what creates the database, upgrades it when MLflow changed, or moves SQLite's over."""
    url = settings.mlflow.database_url
    digest = hashlib.sha256(url.encode()).hexdigest()
    stamp = f"{importlib.metadata.version('mlflow')} {digest} {_PREPARED}\n"
    stamp_file = paths.mlflow / "migrated"
    file = {"": paths.mlflow_database, "sqlite": paths.mlflow_sqlite}.get(url)

    async def prepare(bench: Workbench) -> None:
        if has_content(stamp_file, stamp) and (file is None or file.exists()):
            return
        command = [sys.executable, "-m", "store.mlflow_backend", "prepare"]
        if has_sqlite_to_move(paths, settings):
            bench.say("moving MLflow's database from SQLite to DuckDB")
            command += ["--from-sqlite", str(paths.mlflow_sqlite)]
        else:
            bench.say("creating or upgrading MLflow's database")
        code = await bench.execute(command, environment)
        if code != 0:
            raise ServiceError(
                f"MLflow's database could not be prepared (exit code {code})",
                code="mlflow.migrate",
                hint="appliance logs mlflow",
            )
        write_atomically(stamp_file, stamp)

    return prepare
