"""A service's port is its home's for as long as the supervisor lives, whatever its processes do."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from appliance.config.listeners import record_listeners
from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.domain.service import ServiceState
from appliance.supervisor.door import Door
from appliance.supervisor.restart_policy import RestartPolicy
from tests.integration.test_supervisor_guard import is_gone
from tests.squatter import squatting
from tests.supervised import (
    FileProbe,
    Watch,
    always,
    eventually,
    running,
    service,
)

SERVER = f"""
import os, sys, time
sys.path.insert(0, {str(SOURCE_ROOT)!r})
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from appliance.config.handover import inherited_listener

run = Path(os.environ["APPLIANCE_HOME"], "run")

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        with open(run / "posted", "a") as file:
            file.write(self.path + "\\n")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(os.getpid()).encode())

    do_GET = do_POST

while not (run / "gate").exists():
    time.sleep(0.02)
inherited = inherited_listener()
server = HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.socket.close()
server.socket = inherited.socket
server.socket.setblocking(True)
inherited.announce()
(run / "serving").touch()
server.serve_forever()
"""
PATIENT = RestartPolicy(first_delay=0.05, longest_delay=0.1, budget=50, stable=60)
SLOW = RestartPolicy(first_delay=60, longest_delay=60, budget=50, stable=60)


class Served:
    """A supervised server behind a door."""

    def __init__(self, home: Paths, door: Door, watch: Watch) -> None:
        self.home = home
        self.door = door
        self.watch = watch

    async def ask(self, path: str = "/") -> str:
        """POST and return the answer's text, or the name of the error."""
        return await asyncio.to_thread(post, self.door.port, path)

    async def until_it_serves(self) -> int:
        """Let it serve; return its pid."""
        (self.home.run / "gate").touch()
        await eventually(lambda: post(self.door.port, "/hello").isdigit())
        return int(await self.ask("/hello"))

    def posted(self) -> list[str]:
        """The paths of all requests that were carried out."""
        return (self.home.run / "posted").read_text().split()


def post(port: int, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", path)
        return connection.getresponse().read().decode()
    except OSError as error:
        return type(error).__name__
    finally:
        connection.close()


@asynccontextmanager
async def served(home: Paths, restart: RestartPolicy = PATIENT) -> AsyncIterator[Served]:
    door = Door("mlflow", 0)
    record_listeners(home, [door.listener])
    spec = service("web", SERVER, door=door, restart=restart, probe=FileProbe(home.run / "serving"))
    try:
        async with running(home, spec) as watch:
            yield Served(home, door, watch)
    finally:
        door.close()


REFUSED = {"ConnectionResetError", "BrokenPipeError", "RemoteDisconnected"}


async def test_who_connects_before_the_service_serves_is_turned_away_at_once(home: Paths) -> None:
    async with served(home) as web:
        assert await web.ask("/early") in REFUSED
        await web.watch.until(lambda: web.watch.of("web").pid)
        assert await web.ask("/early") in REFUSED
        pid = await web.until_it_serves()
        assert pid == web.watch.of("web").pid
        assert "/early" not in web.posted()


async def test_who_connects_while_a_dead_service_waits_is_turned_away_at_once(home: Paths) -> None:
    async with served(home, SLOW) as web:
        os.kill(await web.until_it_serves(), signal.SIGKILL)
        await web.watch.until(lambda: web.watch.of("web").observed is ServiceState.BACKING_OFF)
        assert await web.ask("/late") in REFUSED


async def test_a_request_that_its_sender_gave_up_is_not_carried_out_by_the_next_process(
    home: Paths,
) -> None:
    async with served(home) as web:
        pid = await web.until_it_serves()
        os.kill(pid, signal.SIGSTOP)
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", web.door.port)) as gives_up:
                gives_up.sendall(b"POST /stale HTTP/1.0\r\n\r\n")
        os.kill(pid, signal.SIGKILL)
        await web.watch.until(lambda: web.watch.of("web").pid not in {None, pid})
        await web.until_it_serves()
        assert "/stale" not in web.posted()


async def test_nobody_gets_the_port_between_two_processes(home: Paths, tmp_path: Path) -> None:
    async with served(home) as web:
        with squatting(tmp_path / "kept", web.door.port, patience=60) as squatter:
            for _ in range(3):
                pid = await web.until_it_serves()
                os.kill(pid, signal.SIGKILL)
                await web.watch.until(lambda pid=pid: web.watch.of("web").pid not in {None, pid})
            await web.until_it_serves()
            assert squatter.process.poll() is None
            assert squatter.was_sent() == b""


KILLED = """
import asyncio, os, sys
from dataclasses import replace
from appliance.config.instance_lock import InstanceLock
from appliance.config.listeners import record_listeners
from appliance.config.paths import Paths
from appliance.supervisor.door import Door
from appliance.supervisor.supervisor import Supervisor
from tests.integration.test_supervisor_door import SERVER
from tests.integration.test_supervisor_guard import is_gone
from tests.supervised import service

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\\nwhile True: time.sleep(60)"

async def main():
    paths = Paths.from_environment()
    with InstanceLock(paths):
        door = Door("mlflow", 0)
        record_listeners(paths, [door.listener])
        supervisor = Supervisor(paths, [
            service("web", SERVER, door=door),
            service("client", STUBBORN, stop_grace=0.7),
        ])
        await supervisor.start()
        await supervisor.wait_for(lambda: supervisor.is_ready("web") and supervisor.is_ready("client"))
        print(door.port, *(record.leader for record in supervisor.sessions()), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def test_after_a_kill_of_the_supervisor_the_port_is_free_when_nothing_of_ours_could_talk_to_it(
    home: Paths, tmp_path: Path
) -> None:
    (home.run / "gate").touch()
    supervisor = subprocess.Popen(
        [sys.executable, "-c", KILLED], cwd=SOURCE_ROOT, stdout=subprocess.PIPE, text=True
    )
    assert supervisor.stdout is not None
    port, web, client = map(int, supervisor.stdout.readline().split())
    with squatting(tmp_path / "kept", port, patience=60) as squatter:
        supervisor.kill()
        supervisor.wait()
        assert squatter.wait_for_port() == port
        assert is_gone(web)
        assert is_gone(client)
    supervisor.stdout.close()


async def test_no_other_process_inherits_the_listener(home: Paths) -> None:
    """Neither a preparation nor another service could answer in its place."""
    listing = "import os; print(*sorted(int(fd) for fd in os.listdir('/proc/self/fd')))"
    door = Door("mlflow", 0)
    other = service("other", listing + "\nimport time; time.sleep(60)", probe=always)
    async with running(home, service("web", SERVER, door=door), other) as watch:
        await watch.all_ready()
        log = home.logs / "other.log"
        await eventually(lambda: len(log.read_text().split()) > 5)
        listed = log.read_text().splitlines()[-1]
        assert listed.split()[-4:] == ["0", "1", "2", "3"], "streams and the listing itself"
    door.close()


@pytest.mark.parametrize("count", [300])
async def test_many_who_wait_are_all_turned_away(home: Paths, count: int) -> None:
    async with served(home, SLOW) as web:
        pid = await web.until_it_serves()
        os.kill(pid, signal.SIGSTOP)
        waiting = [socket.create_connection(("127.0.0.1", web.door.port)) for _ in range(count)]
        os.kill(pid, signal.SIGKILL)

        def ended(connection: socket.socket) -> bool:
            connection.settimeout(10)
            try:
                return connection.recv(1) == b""
            except ConnectionResetError:
                return True

        assert all([await asyncio.to_thread(ended, connection) for connection in waiting])
        for connection in waiting:
            connection.close()
