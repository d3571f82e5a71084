"""The services of one home, from its configuration."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from appliance.config.paths import Paths
from appliance.config.secret import Secret, read_secret
from appliance.config.settings import Settings
from appliance.supervisor.airflow_services import airflow_specs
from appliance.supervisor.door import Door
from appliance.supervisor.environment import base_environment
from appliance.supervisor.mlflow_service import mlflow_spec
from appliance.supervisor.postgres import postgres_spec
from appliance.supervisor.probes import ForecasterProbe, HttpProbe, IngestorProbe, StoreProbe
from appliance.supervisor.spec import ProbeTiming, ServiceSpec
from store.lock import lock_file

STORE = "store"
INGESTOR = "ingestor"
FORECASTER = "forecaster"
SIMULATOR = "simulator"


def build_services(
    paths: Paths, settings: Settings, doors: Mapping[str, Door]
) -> tuple[ServiceSpec, ...]:
    """Return the specs of everything that this home runs, in the order in which to show them.

    `doors` are the open listeners; with one for the simulator, that is the source.

    Raises:
        ApplianceError: a secret or a program that a service needs is missing; says which.
    """
    ports = {service: door.port for service, door in doors.items()}
    has_simulator = SIMULATOR in doors
    specs = [store_spec(paths)]
    if not settings.airflow.database_url:
        specs.append(postgres_spec(paths))
    specs.append(mlflow_spec(paths, settings, ports, doors["mlflow"]))
    specs.extend(airflow_specs(paths, settings, ports, doors["airflow"]))
    if has_simulator:
        specs.append(simulator_spec(paths, doors[SIMULATOR]))
    specs.append(ingestor_spec(paths, has_simulator=has_simulator))
    specs.append(forecaster_spec(paths))
    return tuple(specs)


def store_spec(paths: Paths) -> ServiceSpec:
    """Return the owner of the DuckDB file."""
    return ServiceSpec(
        name=STORE,
        command=(sys.executable, "-m", "store.server"),
        environment=base_environment(paths),
        probe=StoreProbe(paths),
        files=(lock_file(paths.store_file), paths.store_file),
        endpoint=paths.store_socket.name,
        stop_grace=20.0,
        stop_stage=3,
        timing=ProbeTiming(starting=0.3),
    )


def ingestor_spec(paths: Paths, *, has_simulator: bool) -> ServiceSpec:
    """Return what brings candles into the store."""
    return ServiceSpec(
        name=INGESTOR,
        command=(sys.executable, "-m", "appliance.ingest"),
        environment=base_environment(paths),
        dependencies=(STORE, SIMULATOR) if has_simulator else (STORE,),
        witnesses=(STORE,),
        probe=IngestorProbe(paths),
        stop_stage=0,
    )


def forecaster_spec(paths: Paths) -> ServiceSpec:
    """Return what forecasts each candle at its close; it goes on while MLflow is away.

    One row is too little for threads, which would only wait for each other.
    """
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return ServiceSpec(
        name=FORECASTER,
        command=(sys.executable, "-m", "appliance.forecaster"),
        environment=base_environment(paths) | one_thread,
        dependencies=(STORE,),
        probe=ForecasterProbe(paths),
        endpoint=paths.forecaster_socket.name,
        stop_stage=0,
    )


def simulator_spec(paths: Paths, door: Door) -> ServiceSpec:
    """Return the built-in exchange."""
    return ServiceSpec(
        name=SIMULATOR,
        command=(sys.executable, "-m", "appliance.simulator", "--from-settings"),
        environment=base_environment(paths),
        probe=HttpProbe(door.listener, "/sim"),
        endpoint=door.address,
        door=door,
        stop_stage=4,
        timing=ProbeTiming(starting=0.3),
    )


def known_secrets(paths: Paths) -> tuple[str, ...]:
    """Return the values of all secrets, to be blotted out of logs."""
    values = (read_secret(paths, secret) for secret in Secret)
    return tuple(value for value in values if len(value) >= 8)
