"""One service process: spawned into a session of its own, heard, waited for."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from appliance import clock
from appliance.supervisor import launch
from appliance.supervisor.door import Door, Serving
from appliance.supervisor.log_file import LogFile
from appliance.supervisor.procfs import read_process
from appliance.supervisor.sessions import SessionRecord
from appliance.supervisor.spec import ProcessFacts

_CHUNK = 65_536


class ServiceProcess:
    """A running process, leader of its session; `exited` is set when it has ended.

    Make one with `spawn`, from the main thread: the kernel ties the death signal to the thread
    that forked.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        record: SessionRecord,
        log: LogFile,
        serving: Serving | None = None,
    ) -> None:
        self._process = process
        self._serving = serving
        self._log = log
        self.record = record
        self.started_at: datetime = clock.now()
        self.exited = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._pidfd = os.pidfd_open(process.pid)
        self._loop.add_reader(self._pidfd, self._on_exit)
        self._output: int | None = self._start_reading()

    @property
    def pid(self) -> int:
        """Process id, and id of the session."""
        return self._process.pid

    @property
    def facts(self) -> ProcessFacts:
        """What a probe is told."""
        return ProcessFacts(self.pid, self.started_at)

    @property
    def exit_code(self) -> int | None:
        """The exit code, negative for a signal, None while it runs."""
        return self._process.returncode

    def describe_exit(self) -> str:
        """How it ended, in words; with the last line it wrote unless somebody else ended it."""
        code = self._process.returncode
        if code is None:
            return "still runs"
        if code < 0:
            return f"killed by {_signal_name(-code)}"
        last = self._log.last_words
        return f"exited with code {code}: {last[:200]}" if last else f"exited with code {code}"

    def turn_away(self) -> None:
        """Let no new connection reach it: it is about to stop, or has."""
        if self._serving is not None:
            self._serving.end()

    def close(self) -> None:
        """Stop listening to output; call when the session is empty."""
        self._read_output()
        self._stop_reading()
        self._log.flush()

    def _start_reading(self) -> int | None:
        if self._process.stdout is None:
            return None
        descriptor = self._process.stdout.fileno()
        os.set_blocking(descriptor, False)
        self._loop.add_reader(descriptor, self._read_output)
        return descriptor

    def _read_output(self) -> None:
        if self._output is None:
            return
        try:
            chunk = os.read(self._output, _CHUNK)
        except BlockingIOError:
            return
        if chunk:
            self._log.write(chunk)
        else:
            self._stop_reading()

    def _stop_reading(self) -> None:
        if self._output is not None:
            self._loop.remove_reader(self._output)
            self._output = None
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _on_exit(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._process.wait()
        self.turn_away()
        self._read_output()
        self._log.flush()
        self.exited.set()


def spawn(
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    log: LogFile,
    *,
    text: str = "",
    stop_signal: signal.Signals = signal.SIGTERM,
    stop_grace: float = 10.0,
    door: Door | None = None,
) -> ServiceProcess:
    """Start a command in a new session, with umask 077 and nothing open but its three streams.

    With a `door` it also inherits that listener, and is left alone with it when it says that it serves.

    Raises:
        OSError: the machine cannot start another process.
    """
    launcher = str(Path(launch.__file__))
    serving = Serving(door) if door is not None else None
    try:
        process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", launcher, str(os.getpid()), str(int(stop_signal))),
                *command,
            ],
            stdin=subprocess.PIPE if text else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**environment, **(serving.environment if serving else {})},
            pass_fds=serving.descriptors if serving else (),
            cwd="/",
            start_new_session=True,
            umask=0o077,
        )
    except OSError:
        if serving is not None:
            serving.end()
        raise
    if serving is not None:
        serving.begin()
    if text and process.stdin is not None:
        process.stdin.write(text.encode())
        process.stdin.close()
    entry = read_process(process.pid)
    started = entry.started if entry is not None else 0
    record = SessionRecord(name, process.pid, started, int(stop_signal), stop_grace)
    return ServiceProcess(process, record, log, serving)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
