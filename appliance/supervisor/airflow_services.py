"""The three Airflow components, their environment and the metadata migration."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.metadata
import json
import sys

from appliance.config.exchanges import entry_of
from appliance.config.loopback import HOST
from appliance.config.paths import SOURCE_ROOT, Paths, write_atomically
from appliance.config.secret import Secret, require_secret
from appliance.config.settings import Settings
from appliance.config.state_file import has_content
from appliance.errors import ServiceError
from appliance.supervisor import postgres
from appliance.supervisor.door import Door
from appliance.supervisor.environment import base_environment, mlflow_client, thread_limits
from appliance.supervisor.heartbeats import HeartbeatProbe, SchedulerProbe, socket_dsn, url_dsn
from appliance.supervisor.probes import AirflowApiProbe
from appliance.supervisor.spec import Preparation, ProbeTiming, ServiceSpec, Workbench

API_SERVER = "airflow-api-server"
SCHEDULER = "airflow-scheduler"
DAG_PROCESSOR = "airflow-dag-processor"
USER = "appliance"

_PRELOAD = ",".join(
    (
        *("numpy", "pandas", "pyarrow.flight", "sklearn.ensemble", "mlflow.sklearn", "httpx"),
        *("appliance.pipelines.airflow_task", "appliance.ingest.reconcile"),
        *("appliance.registry.client", "appliance.exchange.source", "store.open", "store.client"),
    )
)
"""Modules that every task would otherwise import anew, for up to 4.8 s. No project's own: those
are read when a task starts, so that an edited one counts from the next task on."""

_TIMING = ProbeTiming(start_limit=180.0)
_BEATING = ProbeTiming(ready=3.0, failing=1.0, start_limit=180.0)
_BEAT_LIMIT = 9.0
"""Both components beat every three seconds."""


def airflow_specs(
    paths: Paths, settings: Settings, ports: dict[str, int], door: Door
) -> tuple[ServiceSpec, ...]:
    """Return api-server, scheduler and dag-processor."""
    environment = airflow_environment(paths, settings, ports)
    database = () if settings.airflow.database_url else (postgres.NAME,)
    prepare = _migration(paths, environment)
    external = settings.airflow.database_url
    dsn = (
        url_dsn(external) if external else socket_dsn(paths.postgres_socket_dir, postgres.DATABASE)
    )
    return (
        ServiceSpec(
            name=API_SERVER,
            command=_command("api-server"),
            environment=environment,
            dependencies=database,
            prepare=prepare,
            probe=AirflowApiProbe(door.listener),
            endpoint=door.address,
            door=door,
            stop_stage=2,
            timing=_TIMING,
        ),
        ServiceSpec(
            name=SCHEDULER,
            command=_command("scheduler", "--skip-serve-logs", preload=_preload(settings)),
            environment=environment | thread_limits(),
            dependencies=database,
            prepare=prepare,
            probe=SchedulerProbe(
                HeartbeatProbe(dsn, "SchedulerJob", _BEAT_LIMIT), settings.airflow.parallelism
            ),
            stop_grace=15.0,
            stop_stage=0,
            timing=_BEATING,
        ),
        ServiceSpec(
            name=DAG_PROCESSOR,
            command=_command("dag-processor"),
            environment=environment | thread_limits(),
            dependencies=database,
            prepare=prepare,
            probe=HeartbeatProbe(dsn, "DagProcessorJob", _BEAT_LIMIT),
            stop_stage=1,
            timing=_BEATING,
        ),
    )


def airflow_environment(paths: Paths, settings: Settings, ports: dict[str, int]) -> dict[str, str]:
    """Return the environment of all Airflow components and of the tasks they run."""
    port = ports["airflow"]
    sections = _core(paths, settings) | _scheduling() | _logging(paths)
    sections |= {
        "DATABASE__SQL_ALCHEMY_CONN": settings.airflow.database_url or postgres.database_url(paths),
        "CORE__EXECUTION_API_SERVER_URL": f"http://{HOST}:{port}/execution/",
        "API__HOST": HOST,
        "API__PORT": str(port),
        "API__BASE_URL": f"http://{HOST}:{port}",
        "API__WORKERS": "1",
        "API__SECRET_KEY": require_secret(paths, Secret.AIRFLOW_API_SECRET_KEY),
        "API_AUTH__JWT_SECRET": require_secret(paths, Secret.AIRFLOW_JWT_SECRET),
    }
    airflow = {f"AIRFLOW__{name}": value for name, value in sections.items()}
    return (
        base_environment(paths)
        | mlflow_client(ports)
        | airflow
        | {"AIRFLOW_HOME": str(paths.airflow)}
    )


def _core(paths: Paths, settings: Settings) -> dict[str, str]:
    slots = str(settings.airflow.parallelism)
    return {
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": slots,
        "CORE__MAX_ACTIVE_TASKS_PER_DAG": slots,
        "CORE__LOAD_EXAMPLES": "False",
        # Every file in dags/ is meant as one; a broken one must show whatever words it contains.
        "CORE__DAG_DISCOVERY_SAFE_MODE": "False",
        "CORE__DAGS_FOLDER": str(SOURCE_ROOT / "dags"),
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__HOSTNAME_CALLABLE": "socket.gethostname",
        "CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "5",
        "CORE__FERNET_KEY": require_secret(paths, Secret.AIRFLOW_FERNET_KEY),
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(paths.airflow / "passwords.json"),
    }


def _scheduling() -> dict[str, str]:
    return {
        "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        "WORKERS__MAX_FAILED_HEARTBEATS": "10",
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
        "SCHEDULER__USE_ROW_LEVEL_LOCKING": "False",
        "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "3",
        "SCHEDULER__JOB_HEARTBEAT_SEC": "3",
        "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
        "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        "DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
        "DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "DAG_PROCESSOR__PRINT_STATS_INTERVAL": "0",
    }


def _logging(paths: Paths) -> dict[str, str]:
    return {
        "LOGGING__BASE_LOG_FOLDER": str(paths.airflow / "logs"),
        "LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": "0o700",
        "LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": "0o600",
        "LOGGING__COLORED_CONSOLE_LOG": "False",
        "LOGGING__NAMESPACE_LEVELS": "http.access=WARNING",
    }


def _command(*component: str, preload: str = "") -> tuple[str, ...]:
    options = ("--preload", preload) if preload else ()
    return (
        sys.executable,
        "-m",
        "appliance.supervisor.airflow_launcher",
        *options,
        "--",
        *component,
    )


def _migration(paths: Paths, environment: dict[str, str]) -> Preparation:
    """Return what migrates the metadata once for all components, when Airflow or database changed."""
    turn = asyncio.Lock()

    async def prepare(bench: Workbench) -> None:
        async with turn:
            stamp = _stamp(paths, environment)
            stamp_file = paths.airflow / "migrated.json"
            _write_passwords(paths)
            if has_content(stamp_file, stamp):
                return
            bench.say("migrating Airflow's metadata")
            code = await bench.execute(
                (sys.executable, "-m", "airflow", "db", "migrate"), environment
            )
            if code != 0:
                raise ServiceError(
                    f"`airflow db migrate` exited with code {code}",
                    code="airflow.migrate",
                    hint=f"appliance logs {API_SERVER}",
                )
            write_atomically(stamp_file, stamp)

    return prepare


def _stamp(paths: Paths, environment: dict[str, str]) -> str:
    """Return what the metadata schema depends on: Airflow's version, the database and its birth."""
    url = environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    born = paths.postgres_data / "PG_VERSION"
    content = {
        "airflow": importlib.metadata.version("apache-airflow"),
        "database": hashlib.sha256(url.encode()).hexdigest()[:16],
        "created": born.stat().st_mtime_ns if born.exists() else 0,
    }
    return json.dumps(content, indent=1) + "\n"


def _write_passwords(paths: Paths) -> None:
    file = paths.airflow / "passwords.json"
    content = json.dumps({USER: require_secret(paths, Secret.AIRFLOW_PASSWORD)}) + "\n"
    if not has_content(file, content):
        write_atomically(file, content)


def _preload(settings: Settings) -> str:
    """Return what the scheduler loads before it forks, the exchange's adapter included."""
    return f"{_PRELOAD},{entry_of(settings.source.kind).adapter}"
