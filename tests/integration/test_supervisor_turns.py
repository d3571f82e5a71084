"""Starts and stops of one home, side by side: nobody is lied to, and one supervisor is left or none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.config.instance_lock import holder_pid, is_stopping, is_supervised
from appliance.config.paths import Paths
from appliance.supervisor.procfs import all_processes
from tests.waiting import wait_until

DAEMON = '''
import asyncio, os, sys, time
from pathlib import Path
from appliance.config.instance_lock import InstanceLock
from appliance.config.paths import Paths
from appliance.supervisor.runtime import supervise
from appliance.supervisor.spec import Probe, ProbeTiming, ServiceSpec
from appliance.supervisor.supervisor import Supervisor

SERVICE = """
import os, signal, time
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
open(os.environ["APPLIANCE_HOME"] + "/serves", "w").close()
while not asked or os.path.exists(os.environ["APPLIANCE_HOME"] + "/hold"):
    time.sleep(0.05)
"""
paths = Paths.from_environment()
starts = paths.home / "starts"
starts.write_text(starts.read_text() + "x" if starts.exists() else "x")
if (paths.home / "is_wrong").exists():
    print("error: unknown key in compose", file=sys.stderr)
    sys.exit(2)

async def main():
    spec = ServiceSpec(
        name="one",
        command=(sys.executable, "-c", SERVICE),
        environment=dict(os.environ),
        probe=lambda process: Probe(True, "runs"),
        stop_grace=30.0,
        timing=ProbeTiming(starting=0.05),
    )
    async def serve(supervisor):
        server = await asyncio.start_unix_server(lambda r, w: w.close(), paths.control_socket)
        await server.serve_forever()
    with InstanceLock(paths):
        await supervise(paths, Supervisor(paths, [spec]), serve)

asyncio.run(main())
'''
COMMAND = """
import sys
from appliance.cli import supervision
from appliance.cli.exit_code import exit_code_of
from appliance.errors import ApplianceError

supervision.DAEMON = (sys.executable, sys.argv[1])
try:
    supervision.start_or_join(30) if sys.argv[2] == "up" else sys.exit(not supervision.stop(30).is_stopped)
except ApplianceError as error:
    print(error.message, flush=True)
    sys.exit(exit_code_of(error))
"""

Run = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def run(home: Paths, tmp_path: Path) -> Iterator[Run]:
    """Starts `up` or `down` in a process of its own, each on the same home."""
    script = tmp_path / "daemon.py"
    script.write_text(DAEMON)

    def start(action: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, str(script), action],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {"APPLIANCE_HOME": str(home.home)},
            text=True,
        )

    yield start
    assert start("down").wait(40) == 0
    assert not is_supervised(home)


def starts(home: Paths) -> int:
    return len((home.home / "starts").read_text())


def hold(home: Paths) -> None:
    """Let the running service not end before the file is removed."""
    wait_until((home.home / "serves").exists, 20)
    (home.home / "hold").touch()


def turn_takers(home: Paths) -> int:
    """Return how many processes have the turn or wait for it."""
    taken = str(home.turn_lock)
    return sum(_has_open(entry.pid, taken) for entry in all_processes())


def test_many_ups_at_once_make_one_supervisor(run: Run, home: Paths) -> None:
    ups = [run("up") for _ in range(4)]
    assert [up.wait(40) for up in ups] == [0, 0, 0, 0]
    assert is_supervised(home)
    assert starts(home) == 1


def test_an_up_beside_a_failing_one_ends_with_the_same_code(run: Run, home: Paths) -> None:
    (home.home / "is_wrong").touch()
    ups = [run("up") for _ in range(2)]
    assert [up.wait(40) for up in ups] == [2, 2]


def test_an_up_during_a_down_waits_and_starts(run: Run, home: Paths) -> None:
    assert run("up").wait(40) == 0
    first = holder_pid(home)
    hold(home)
    down = run("down")
    wait_until(lambda: is_stopping(home), 20)
    up = run("up")
    wait_until(lambda: turn_takers(home) == 2, 20, "the up waits for its turn")
    (home.home / "hold").unlink()
    assert down.wait(40) == 0
    assert up.wait(40) == 0
    assert holder_pid(home) not in (None, first)
    assert starts(home) == 2


def test_an_up_waits_for_a_supervisor_that_a_signal_stops(run: Run, home: Paths) -> None:
    assert run("up").wait(40) == 0
    first = holder_pid(home)
    assert first
    hold(home)
    os.kill(first, signal.SIGTERM)
    wait_until(lambda: is_stopping(home), 20)
    up = run("up")
    assert up.stdout
    assert up.stdout.readline() == "waiting for the appliance to stop\n"
    (home.home / "hold").unlink()
    assert up.wait(40) == 0
    assert holder_pid(home) not in (None, first)


def test_a_down_during_an_up_leaves_nothing(run: Run, home: Paths) -> None:
    up = run("up")
    wait_until((home.home / "starts").exists, 20)
    assert run("down").wait(40) == 0
    up.wait(40)
    assert not is_supervised(home)
    wait_until(lambda: not any(_is_of(entry.pid, home) for entry in all_processes()), 10)


def test_a_supervisor_that_does_not_answer_is_stopped_by_a_signal(run: Run, home: Paths) -> None:
    assert run("up").wait(40) == 0
    home.control_socket.unlink()
    down = run("down")
    told, _ = down.communicate(timeout=40)
    assert down.returncode == 0
    assert "by a signal" in told
    assert not is_supervised(home)


def test_a_home_that_is_moved_while_it_runs_is_still_one_home(
    run: Run, home: Paths, tmp_path: Path
) -> None:
    assert run("up").wait(40) == 0
    moved = Paths(tmp_path / "elsewhere")
    home.home.rename(moved.home)
    assert is_supervised(moved)
    assert holder_pid(moved)
    moved.home.rename(home.home)


def _has_open(pid: int, path: str) -> bool:
    try:
        return any(str(link.readlink()) == path for link in Path("/proc", str(pid), "fd").iterdir())
    except OSError:
        return False


def _is_of(pid: int, home: Paths) -> bool:
    try:
        environment = Path("/proc", str(pid), "environ").read_bytes()
    except OSError:
        return False
    return pid != os.getpid() and str(home.home).encode() in environment
