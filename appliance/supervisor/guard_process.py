"""The supervisor's side of the guard."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Sequence

from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.supervisor.guard import FAREWELL

_log = logging.getLogger(__name__)

_PROGRAM = (
    "import sys; sys.path.append(sys.argv.pop(1)); "
    "from appliance.supervisor.guard import main; main()"
)


class Guard:
    """Keeps one guard process alive for as long as the supervisor lives.

    Args:
        paths: the home.
        keeps: descriptors of listening sockets that the guard keeps open too: while it still stops what
            a killed supervisor left, nobody else gets a port that those processes talk to.
    """

    def __init__(self, paths: Paths, keeps: Sequence[int] = ()) -> None:
        self._paths = paths
        self._keeps = tuple(keeps)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The guard's process id, None when none runs."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the guard; its stdin is the pipe whose end it waits for."""
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", "-c", _PROGRAM, str(SOURCE_ROOT)),
                *(str(os.getpid()), str(self._paths.sessions_file)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            pass_fds=self._keeps,
            cwd="/",
            start_new_session=True,
            umask=0o077,
        )

    async def watch(self, interval: float = 5.0) -> None:
        """Start the guard again whenever it ends; runs until cancelled."""
        while True:
            await asyncio.sleep(interval)
            if self._process is not None and self._process.poll() is not None:
                _log.warning("guard pid=%s ended, starting another", self._process.pid)
                self._close_pipe()
                self.start()

    def dismiss(self) -> None:
        """Tell the guard that nothing is left to guard, and wait for its end."""
        if self._process is None:
            return
        if self._process.stdin is not None:
            try:
                self._process.stdin.write(FAREWELL)
                self._process.stdin.flush()
            except BrokenPipeError:
                _log.warning("the guard had gone before it was dismissed")
        self._close_pipe()
        self._process.wait(timeout=5)
        self._process = None

    def _close_pipe(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            try:
                self._process.stdin.close()
            except BrokenPipeError:
                _log.debug("guard pipe was closed by the guard")
