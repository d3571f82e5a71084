"""Every listener of a running appliance, tried by another user of the machine and by another site's page."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from appliance.config.listeners import recorded_listeners
from appliance.config.paths import SOURCE_ROOT
from appliance.config.secret import Secret, read_secret
from appliance.domain.workflow import WorkflowKind
from appliance.supervisor.sessions import read_records
from tests.e2e.conftest import Running
from tests.stranger import attempts_of, request

pytestmark = pytest.mark.long

_LISTENS, _ACCEPTS = "0A", 0x10000
UNIX = {"store", "postgres", "forecaster"}
TCP = {"mlflow", "airflow-api-server", "simulator"}


def sockets(running: Running) -> Iterator[tuple[str, str]]:
    """Yield service and inode of each socket that a process of the home has open."""
    for record in read_records(str(running.paths.sessions_file)):
        for member in record.members():
            with suppress(OSError):  # it has ended meanwhile
                for entry in Path("/proc", str(member.pid), "fd").iterdir():
                    target = str(entry.readlink())
                    if target.startswith("socket:["):
                        yield record.name, target[8:-1]


def tcp_listeners() -> dict[str, str]:
    """Return inode -> address of all that listen."""
    tables = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
    rows = [row.split() for table in tables for row in table.read_text().splitlines()[1:]]
    return {row[9]: row[1] for row in rows if row[3] == _LISTENS}


def unix_listeners() -> dict[str, str]:
    """Return inode -> path of all that listen; abstract ones begin with @."""
    rows = [row.split() for row in Path("/proc/net/unix").read_text().splitlines()[1:]]
    return {row[6]: row[7] for row in rows if int(row[3], 16) & _ACCEPTS and len(row) > 7}


def test_what_listens_is_what_the_table_says(running: Running) -> None:
    tcp, unix = tcp_listeners(), unix_listeners()
    held = set(sockets(running))
    on_tcp = {(name, tcp[inode]) for name, inode in held if inode in tcp}
    on_unix = {(name, unix[inode]) for name, inode in held if inode in unix}
    assert {name for name, _ in on_tcp} == TCP
    assert all(address.startswith("0100007F:") for _, address in on_tcp)
    assert {name for name, _ in on_unix} == UNIX
    assert all(path.startswith(str(running.paths.run)) for _, path in on_unix)
    table = (SOURCE_ROOT / "ARCHITECTURE.md").read_text().partition("## Who may speak to what")[2]
    for name in (*UNIX, *TCP, "control"):
        assert f"| `{name}`" in table


def ports(running: Running) -> dict[str, int]:
    return {one.service: one.port for one in recorded_listeners(running.paths)}


def test_another_user_gets_nowhere_by_files_and_sockets(running: Running, other_user: str) -> None:
    paths = running.paths
    files = [paths.store_file, paths.mlflow_database, paths.listeners_file, paths.ports_file]
    files += [paths.secrets / secret.value for secret in Secret]
    folders = [
        paths.run,
        paths.secrets,
        paths.logs,
        paths.mlflow,
        paths.airflow,
        paths.store_file.parent,
    ]
    unix = [paths.control_socket, paths.store_socket, paths.forecaster_socket]
    unix.append(paths.postgres_socket_dir / ".s.PGSQL.5432")
    answers = attempts_of(
        other_user,
        [
            *(["read", str(file)] for file in files),
            *(["write", str(file)] for file in files),
            *(["list", str(folder)] for folder in folders),
            *(["connect", str(path)] for path in unix),
        ],
    )
    assert {answer[1] for answer in answers} <= {"PermissionError", "FileNotFoundError"}


def test_another_user_reads_and_starts_nothing_in_airflow(
    running: Running, other_user: str
) -> None:
    port = ports(running)["airflow"]
    dag = "crypto_forecast_train_wf"
    before = running.control.dag_runs("crypto_forecast", WorkflowKind.TRAIN)
    task = "00000000-0000-0000-0000-000000000000"
    closed = [
        *("/api/v2/dags", f"/api/v2/dags/{dag}/dagRuns", "/api/v2/config", "/api/v2/variables"),
        *("/api/v2/connections", "/api/v2/eventLogs", "/ui/config", "/ui/dags", "/api/v2/jobs"),
        *("/execution/connections/x", "/execution/variables/x", "/execution/xcoms/a/b/c/d"),
    ]
    posts = [
        request(port, f"/api/v2/dags/{dag}/dagRuns", "POST", {"logical_date": None}),
        request(port, f"/api/v2/dags/{dag}", "PATCH", {"is_paused": True}),
        request(port, "/api/v2/variables", "POST", {"key": "x", "value": "y"}),
        request(port, "/auth/token", "POST", {"username": "appliance", "password": "guess"}),
        request(port, f"/execution/task-instances/{task}/run", "PATCH", {"state": "running"}),
        request(port, f"/execution/dag-runs/{dag}/x", "POST", {}),
    ]
    forged = {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhcHBsaWFuY2UifQ."}
    answers = attempts_of(
        other_user,
        [
            *(request(port, path) for path in closed),
            *(request(port, path, headers=forged) for path in closed),
            *posts,
        ],
    )
    assert {status for status, _ in answers} <= {401, 403}, answers
    after = running.control.dag_runs("crypto_forecast", WorkflowKind.TRAIN)
    assert [run.run_id for run in after] == [run.run_id for run in before]


def test_another_user_changes_neither_registry_nor_market(
    running: Running, other_user: str
) -> None:
    listening = ports(running)
    champion = running.control.status().projects[0].champion
    alias = {"name": "crypto_forecast", "alias": "champion", "version": "1"}
    api = "/api/2.0/mlflow/registered-models"
    answers = attempts_of(
        other_user,
        [
            request(listening["mlflow"], f"{api}/alias", "DELETE", alias),
            request(listening["mlflow"], f"{api}/search"),
            request(listening["simulator"], "/sim/shift", "POST", {"volatility": 9.0}),
            request(listening["simulator"], "/sim/fault", "POST", {"kind": "drop"}),
        ],
    )
    assert [status for status, _ in answers] == [401] * 4
    assert running.control.status().projects[0].champion == champion


def test_another_sites_page_reaches_neither_web_application(
    running: Running, other_user: str
) -> None:
    listening = ports(running)
    for name, path in (("mlflow", "/health"), ("airflow", "/api/v2/version")):
        page = {"Origin": "http://localhost:9"}
        image = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "image"}
        answers = attempts_of(
            other_user,
            [
                request(listening[name], path, headers={"Host": "evil.example"}),
                request(listening[name], path, headers=page),
                request(listening[name], path, "POST", "{}", page),
                request(listening[name], path, headers=image),
                request(listening[name], path, headers={"Host": "localhost:15000"}),
            ],
        )
        assert [status for status, _ in answers] == [403, 403, 403, 403, 200]


def test_no_secret_is_in_a_process_list_or_a_log(running: Running) -> None:
    secrets = [read_secret(running.paths, secret).encode() for secret in Secret]
    records = read_records(str(running.paths.sessions_file))
    pids = [member.pid for record in records for member in record.members()]
    texts = []
    for pid in pids:
        with suppress(OSError):  # it has ended meanwhile
            texts.append(Path("/proc", str(pid), "cmdline").read_bytes())
    assert any(b"appliance.registry.served" in text for text in texts)
    texts += [file.read_bytes() for file in running.paths.logs.rglob("*") if file.is_file()]
    assert not any(secret in text for secret in secrets if secret for text in texts)
    shown = running.cli("config", "show").stdout.encode()
    assert not any(secret in shown for secret in secrets if secret)


def test_env_leads_to_this_home(running: Running) -> None:
    variables = running.json("env")
    mlflow = urlsplit(variables["MLFLOW_TRACKING_URI"])
    assert mlflow.port == ports(running)["mlflow"]
    assert variables["MLFLOW_TRACKING_TOKEN"] is None
    assert os.environ.get("MLFLOW_TRACKING_TOKEN") is None
