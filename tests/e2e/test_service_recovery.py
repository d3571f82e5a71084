"""The real services: all ready, back after kill -9, nothing left at the end.

The tests of this file share one appliance and run in the order in which they stand.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.config.instance_lock import holder_pid, is_supervised
from appliance.config.paths import Paths
from appliance.config.secret import Secret, read_secret
from appliance.control.client import ControlClient
from appliance.domain.service import ServiceState, ServiceStatus
from appliance.supervisor.procfs import all_processes, read_process, session_members
from appliance.supervisor.runtime import spawn_daemon
from appliance.supervisor.sessions import read_records
from tests.builders import KIM
from tests.waiting import wait_until

pytestmark = pytest.mark.long

COMPOSE = """
[source]
kind = "simulator"
[ingest]
history_candles = 200
[airflow]
port = 0
[mlflow]
port = 0
"""
NAMES = (
    "store",
    "postgres",
    "mlflow",
    "airflow-api-server",
    "airflow-scheduler",
    "airflow-dag-processor",
    "simulator",
    "ingestor",
    "forecaster",
)
READY_SECONDS = 150.0


class Appliance:
    """A daemon of its own."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.control = ControlClient(paths)

    def start(self) -> None:
        spawn_daemon(self.paths, (sys.executable, "-m", "appliance.daemon"))

    def services(self) -> dict[str, ServiceStatus]:
        return {service.name: service for service in self.control.status().services}

    def unready(self) -> list[str]:
        return [name for name, status in self.services().items() if not status.is_ready]

    def wait_ready(self) -> None:
        wait_until(lambda: not self.unready(), READY_SECONDS, "every service is ready")

    def sessions(self) -> list[int]:
        return [record.leader for record in read_records(str(self.paths.sessions_file))]

    def processes(self) -> list[int]:
        """Everything that belongs to this appliance, the supervisor and its guard included."""
        supervisor = holder_pid(self.paths)
        assert supervisor is not None
        pids = {supervisor}
        while True:
            more = {entry.pid for entry in all_processes() if entry.parent in pids} - pids
            if not more:
                return sorted(pids)
            pids |= more

    def kill_all(self) -> None:
        supervisor = holder_pid(self.paths)
        if supervisor is not None and is_supervised(self.paths):
            os.kill(supervisor, signal.SIGTERM)
            wait_until(lambda: not is_supervised(self.paths), 90, "the supervisor has ended")


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    paths = Paths(tmp_path_factory.mktemp("svc") / "home")
    paths.create()
    (paths.compose / "appliance.toml").write_text(COMPOSE)
    made = Appliance(paths)
    made.start()
    yield made
    made.kill_all()


def is_gone(pid: int) -> bool:
    entry = read_process(pid)
    return entry is None or entry.is_zombie


def test_every_service_becomes_ready(appliance: Appliance) -> None:
    appliance.wait_ready()
    assert set(appliance.services()) == set(NAMES)
    assert all(status.reason for status in appliance.services().values())


def test_nothing_listens_beyond_loopback(appliance: Appliance) -> None:
    inodes = {
        link.readlink().name
        for pid in appliance.processes()
        for link in _descriptors(pid)
        if link.is_symlink()
    }
    listening = [row for row in _listening() if f"socket:[{row[1]}]" in inodes]
    assert len(listening) == 3
    assert {address for address, _ in listening} == {"127.0.0.1"}


def test_no_secret_is_in_a_command_line_or_a_log(appliance: Appliance) -> None:
    secrets = [read_secret(appliance.paths, secret) for secret in Secret]
    texts = [Path("/proc", str(pid), "cmdline").read_text() for pid in appliance.processes()]
    texts += [log.read_text(errors="replace") for log in appliance.paths.logs.iterdir()]
    assert len(texts) > len(NAMES)
    assert not [secret for secret in secrets if secret and any(secret in text for text in texts)]


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_service_returns_to_ready_by_itself(appliance: Appliance, name: str) -> None:
    appliance.wait_ready()
    before = appliance.services()[name]
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)

    def is_back() -> bool:
        now = appliance.services()[name]
        return now.is_ready and now.pid not in {None, before.pid}

    wait_until(is_back, 60, f"{name} is ready again")
    assert session_members(before.pid) == []
    assert appliance.services()[name].restarts >= before.restarts + 1
    assert ServiceState.GIVEN_UP not in {s.observed for s in appliance.services().values()}


@pytest.mark.parametrize("name", ["store", "mlflow", "airflow-api-server", "ingestor"])
def test_a_frozen_service_is_noticed_and_replaced_and_nothing_else_is(
    appliance: Appliance, name: str
) -> None:
    appliance.wait_ready()
    services = appliance.services()
    before = services[name].pid
    assert before is not None
    os.kill(before, signal.SIGSTOP)
    wait_until(lambda: not appliance.services()[name].is_ready, 15, f"{name} is noticed")

    def is_back() -> bool:
        now = appliance.services()[name]
        return now.is_ready and now.pid not in {None, before}

    own_start = 45 if name in {"store", "ingestor"} else 100
    wait_until(is_back, own_start, f"{name} is ready again")
    others = {other: status.pid for other, status in services.items() if other != name}
    now = appliance.services()
    assert {other: now[other].pid for other in others} == others


def test_sigkill_of_the_supervisor_leaves_nothing_and_the_next_start_recovers(
    appliance: Appliance,
) -> None:
    appliance.wait_ready()
    pids = appliance.processes()
    supervisor = holder_pid(appliance.paths)
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)
    wait_until(lambda: all(is_gone(pid) for pid in pids), 20, "no process is left")
    appliance.start()
    appliance.wait_ready()


def test_down_leaves_no_process_and_no_socket(appliance: Appliance) -> None:
    pids = appliance.processes()
    appliance.control.shut_down(KIM)
    wait_until(lambda: not is_supervised(appliance.paths), 60, "the supervisor has ended")
    wait_until(lambda: all(is_gone(pid) for pid in pids), 5, "no process is left")
    left = [path for path in appliance.paths.sockets.rglob("*") if path.is_socket()]
    assert left == []


def _descriptors(pid: int) -> list[Path]:
    try:
        return list(Path("/proc", str(pid), "fd").iterdir())
    except OSError:
        return []


def _listening() -> list[tuple[str, str]]:
    """Return (address, inode) of every listening TCP socket of the machine."""
    found = []
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for row in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = row.split()
            if fields[3] == "0A":
                packed = bytes.fromhex(fields[1].split(":")[0])
                words = [packed[i : i + 4][::-1] for i in range(0, len(packed), 4)]
                found.append((socket.inet_ntop(family, b"".join(words)), fields[9]))
    return found
