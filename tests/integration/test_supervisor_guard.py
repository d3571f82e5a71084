"""A supervisor that is killed leaves nothing, and the next one starts cleanly."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.config.instance_lock import InstanceLock, holder_pid, is_supervised
from appliance.config.paths import Paths
from appliance.errors import ServiceError
from appliance.supervisor.procfs import ProcessEntry, all_processes, read_process
from appliance.supervisor.runtime import spawn_daemon, stop_leftovers
from appliance.supervisor.sessions import read_records
from tests.waiting import wait_until

DAEMON = """
import asyncio, os, sys
from appliance.config.paths import Paths
from appliance.config.instance_lock import InstanceLock
from appliance.supervisor.runtime import end_leftovers, supervise
from appliance.supervisor.spec import Probe, ProbeTiming, ServiceSpec
from appliance.supervisor.supervisor import Supervisor

STUBBORN = '''
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setpgid(0, 0)
print("ready", flush=True)
while True: time.sleep(60)
'''

def spec(name):
    return ServiceSpec(
        name=name,
        command=(sys.executable, "-c", STUBBORN),
        environment=dict(os.environ),
        probe=lambda process: Probe(True, "runs"),
        stop_grace=0.5,
        timing=ProbeTiming(starting=0.05),
    )

async def main():
    paths = Paths.from_environment()
    async def serve(supervisor):
        server = await asyncio.start_unix_server(lambda r, w: w.close(), paths.control_socket)
        await server.serve_forever()
    with InstanceLock(paths):
        end_leftovers(paths)
        await supervise(paths, Supervisor(paths, [spec("one"), spec("two")]), serve)

asyncio.run(main())
"""


class Daemon:
    """A supervisor of its own with two services that ignore SIGTERM."""

    def __init__(self, home: Paths, script: Path) -> None:
        self.home = home
        self.command = (sys.executable, str(script))
        self.pid = 0

    def start(self) -> None:
        spawn_daemon(self.home, self.command)
        self.pid = holder_pid(self.home) or 0
        record = str(self.home.sessions_file)
        wait_until(lambda: len(read_records(record, self.pid)) == 2, 20)
        for name in ("one", "two"):
            log = self.home.logs / f"{name}.log"
            wait_until(lambda log=log: "ready" in log.read_text())

    def guard(self) -> ProcessEntry:
        return next(
            entry
            for entry in all_processes()
            if entry.parent == self.pid and b"supervisor.guard" in _command(entry.pid)
        )

    def left(self) -> list[int]:
        home = str(self.home.home).encode()
        return [
            entry.pid
            for entry in all_processes()
            if not entry.is_zombie and entry.pid != os.getpid() and home in _environment(entry.pid)
        ]

    def end(self) -> None:
        for pid in self.left():
            os.kill(pid, signal.SIGKILL)


def _command(pid: int) -> bytes:
    return _read(pid, "cmdline")


def _environment(pid: int) -> bytes:
    return _read(pid, "environ")


def _read(pid: int, name: str) -> bytes:
    try:
        return Path("/proc", str(pid), name).read_bytes()
    except OSError:
        return b""


@pytest.fixture
def daemon(home: Paths, tmp_path: Path) -> Iterator[Daemon]:
    script = tmp_path / "daemon.py"
    script.write_text(DAEMON)
    made = Daemon(home, script)
    made.start()
    yield made
    made.end()


def is_gone(pid: int) -> bool:
    entry = read_process(pid)
    return entry is None or entry.is_zombie


@pytest.mark.long
def test_sigkill_of_the_supervisor_leaves_no_process(daemon: Daemon) -> None:
    guard = daemon.guard().pid
    os.kill(daemon.pid, signal.SIGKILL)
    wait_until(lambda: daemon.left() == [], 15, "every process has ended")
    wait_until(lambda: is_gone(guard), 5, "the guard has ended")


def test_the_guard_is_small(daemon: Daemon) -> None:
    status = Path("/proc", str(daemon.guard().pid), "status").read_text()
    private = next(line for line in status.splitlines() if line.startswith("RssAnon"))
    assert int(private.split()[1]) < 8_000


def test_the_next_start_ends_what_a_killed_supervisor_and_guard_left(daemon: Daemon) -> None:
    os.kill(daemon.guard().pid, signal.SIGKILL)
    os.kill(daemon.pid, signal.SIGKILL)
    wait_until(lambda: is_gone(daemon.pid))
    left = daemon.left()
    assert left
    daemon.start()
    assert all(is_gone(pid) for pid in left)


def test_leftovers_can_be_stopped_without_a_start(daemon: Daemon) -> None:
    os.kill(daemon.guard().pid, signal.SIGKILL)
    os.kill(daemon.pid, signal.SIGKILL)
    wait_until(lambda: not is_supervised(daemon.home))
    assert sorted(stop_leftovers(daemon.home)) == ["one", "two"]
    assert daemon.left() == []
    assert list(daemon.home.run.glob("*.sock")) == []


def test_a_home_that_never_ran_has_no_leftovers(tmp_path: Path) -> None:
    assert stop_leftovers(Paths(tmp_path / "nowhere")) == []


def test_sigterm_stops_everything_and_removes_the_sockets(daemon: Daemon) -> None:
    guard = daemon.guard().pid
    os.kill(daemon.pid, signal.SIGTERM)
    wait_until(lambda: not is_supervised(daemon.home))
    wait_until(lambda: is_gone(daemon.pid) and is_gone(guard))
    assert daemon.left() == []
    assert not daemon.home.control_socket.exists()
    assert not daemon.home.sessions_file.exists()


def test_a_second_supervisor_of_a_home_is_refused(daemon: Daemon) -> None:
    assert is_supervised(daemon.home)
    with pytest.raises(ServiceError) as caught, InstanceLock(daemon.home):
        pass
    assert f"pid {daemon.pid}" in caught.value.message
    assert "appliance down" in caught.value.hint


@pytest.mark.long
def test_a_guard_that_ends_is_replaced(daemon: Daemon) -> None:
    first = daemon.guard().pid
    os.kill(first, signal.SIGKILL)

    def another() -> bool:
        try:
            return daemon.guard().pid != first
        except StopIteration:
            return False

    wait_until(another, 15, "another guard runs")


def test_a_daemon_that_ends_at_once_is_reported_with_its_last_words(home: Paths) -> None:
    program = "import sys; sys.exit('error: unknown key in compose')"
    with pytest.raises(ServiceError) as caught:
        spawn_daemon(home, (sys.executable, "-c", program))
    assert "ended with code 1: unknown key in compose" in caught.value.message


def test_a_daemon_that_never_answers_is_reported(home: Paths) -> None:
    program = (
        "import os, time\n"
        "open(os.environ['APPLIANCE_HOME'] + '/pid', 'w').write(str(os.getpid()))\n"
        "time.sleep(60)"
    )
    try:
        with pytest.raises(ServiceError) as caught:
            spawn_daemon(home, (sys.executable, "-c", program), timeout=1.0)
        assert "does not answer" in caught.value.message
    finally:
        os.kill(int((home.home / "pid").read_text()), signal.SIGKILL)
