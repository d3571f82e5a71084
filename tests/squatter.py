"""A program of somebody else that listens on a port, answers anything, and keeps what it was sent."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PROGRAM = """
import json, os, socketserver, sys, time

port, patience = int(sys.argv[1]), float(sys.argv[2])
answer = json.dumps({
    "version": "3.3.2", "metadatabase": {"status": "healthy"},
    "scheduler": {"status": "healthy", "latest_scheduler_heartbeat": "2999-01-01T00:00:00+00:00"},
    "dag_processor": {"status": "healthy", "latest_dag_processor_heartbeat": "2999-01-01T00:00:00+00:00"},
}).encode()
head = b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n"

class Keep(socketserver.BaseRequestHandler):
    def handle(self):
        while sent := self.request.recv(65536):
            os.write(2, sent)
            self.request.sendall(head % len(answer) + answer)

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True

ends = time.monotonic() + patience
while True:
    try:
        server = Server(("127.0.0.1", port), Keep)
        break
    except OSError:
        if time.monotonic() > ends:
            sys.exit(1)
        time.sleep(0.002)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@dataclass
class Squatter:
    """The running program; `port` is 0 until it has one."""

    process: subprocess.Popen[str]
    kept: Path
    port: int = 0

    def was_sent(self) -> bytes:
        """Everything that any client has written to it."""
        return self.kept.read_bytes()

    def wait_for_port(self) -> int:
        """Return the port once it listens; fails when its patience ends before."""
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        return self.port


@contextmanager
def squatting(
    kept: Path, port: int = 0, *, patience: float = 0.0, user: str | None = None
) -> Iterator[Squatter]:
    """Squat on a port (0: any); with `patience`, keep trying to get it for so many seconds.

    What it is sent goes to the file `kept`; `user` runs it as somebody else, for which we must be root.
    """
    interpreter = "/usr/bin/python3" if user else sys.executable
    with kept.open("wb") as received:
        process = subprocess.Popen(
            [interpreter, "-I", "-c", _PROGRAM, str(port), str(patience)],
            stdout=subprocess.PIPE,
            stderr=received,
            text=True,
            cwd="/",
            user=user,
            group=user,
            extra_groups=[] if user else None,
        )
    squatter = Squatter(process, kept)
    try:
        if not patience:
            squatter.wait_for_port()
        yield squatter
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
