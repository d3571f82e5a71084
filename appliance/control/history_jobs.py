"""Jobs on stored history: each a process of its own, followed by a thread, independent of who watches."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from appliance import clock
from appliance.config.paths import Paths
from appliance.domain.history_job import HistoryJob, HistoryKind, JobState
from appliance.domain.origin import Origin, origin_to_json
from appliance.errors import ConfigError
from appliance.supervisor.environment import base_environment

KEPT = 5
"""Finished jobs that stay in the list."""
_MOST_RUNNING = 4
_STOP_SECONDS = 5.0
_MODULE = "appliance.control.history_process"


@dataclass(slots=True)
class _Running:
    process: subprocess.Popen[str]
    thread: threading.Thread
    is_cancelled: bool = False


class HistoryJobs:
    """Starts, follows and cancels jobs; safe to use from several threads.

    Args:
        paths: the home; its store service and its ingestor's source are used.
        on_change: called, from any thread, when a job ends; must not block.
    """

    def __init__(self, paths: Paths, on_change: Callable[[], None]) -> None:
        self._paths = paths
        self._on_change = on_change
        self._lock = threading.Lock()
        self._jobs: dict[int, HistoryJob] = {}
        self._running: dict[int, _Running] = {}

    def jobs(self) -> tuple[HistoryJob, ...]:
        """Return running and lately finished jobs, oldest first."""
        with self._lock:
            return tuple(self._jobs.values())

    def start(
        self,
        kind: HistoryKind,
        market: str,
        unit: int,
        start_at: datetime | None,
        end_at: datetime | None,
        origin: Origin,
    ) -> HistoryJob:
        """Start a job and return it, not waiting for it.

        Raises:
            ConfigError: the range is reversed, the same market is being worked on, or too many jobs run.
        """
        if start_at is not None and end_at is not None and end_at <= start_at:
            raise ConfigError(
                "the end is not after the start", hint="both are UTC, the end exclusive"
            )
        with self._lock:
            self._refuse_second(market, unit)
            number = max(self._jobs, default=0) + 1
            job = HistoryJob(
                number, kind, market, unit, JobState.RUNNING, clock.now(), start_at, end_at
            )
            process = self._spawn(job, origin)
            thread = threading.Thread(target=self._follow, args=(number, process), daemon=True)
            self._jobs[number] = job
            self._running[number] = _Running(process, thread)
        thread.start()
        return job

    def cancel(self, number: int) -> HistoryJob:
        """End a running job; what it has stored stays. One that has ended is returned as it is."""
        with self._lock:
            job, running = self._jobs.get(number), self._running.get(number)
            if job is None:
                raise ConfigError(f"there is no job {number}", code="history.unknown")
            if running is not None:
                running.is_cancelled = True
                running.process.terminate()
        if running is not None:
            running.thread.join(_STOP_SECONDS)
        with self._lock:
            return self._jobs.get(number, job)

    def close(self) -> None:
        """End every job and wait for their processes."""
        with self._lock:
            left = list(self._running.values())
            for running in left:
                running.is_cancelled = True
                running.process.terminate()
        for running in left:
            try:
                running.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                running.process.kill()
            running.thread.join(_STOP_SECONDS)

    def _refuse_second(self, market: str, unit: int) -> None:
        for number in self._running:
            job = self._jobs[number]
            if (job.market, job.unit) == (market, unit):
                raise ConfigError(
                    f"{market} {unit}m: a {job.kind} is running already",
                    code="history.busy",
                    hint="wait for its end, or cancel it",
                )
        if len(self._running) >= _MOST_RUNNING:
            raise ConfigError(
                f"{len(self._running)} jobs are running", code="history.busy", hint="wait for one"
            )

    def _spawn(self, job: HistoryJob, origin: Origin) -> subprocess.Popen[str]:
        bounds = [at.isoformat() if at else "-" for at in (job.start_at, job.end_at)]
        work = [job.kind.value, job.market, str(job.unit), origin_to_json(origin), *bounds]
        return subprocess.Popen(
            [sys.executable, "-m", _MODULE, *work],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=base_environment(self._paths),
            cwd="/",
            umask=0o077,
            text=True,
        )

    def _follow(self, number: int, process: subprocess.Popen[str]) -> None:
        error = hint = ""
        for line in process.stdout or ():
            said = json.loads(line)
            error, hint = said.get("error", error), said.get("hint", hint)
            self._change(number, {k: v for k, v in said.items() if k not in {"error", "hint"}})
        code = process.wait()
        if process.stdout is not None:
            process.stdout.close()
        with self._lock:
            is_cancelled = self._running.pop(number).is_cancelled
        self._change(number, _outcome(code, is_cancelled, error, hint))
        self._forget_old()
        self._on_change()

    def _change(self, number: int, fields: Mapping[str, object]) -> None:
        with self._lock:
            self._jobs[number] = replace(self._jobs[number], **fields)  # type: ignore[arg-type]

    def _forget_old(self) -> None:
        with self._lock:
            ended = [number for number in self._jobs if number not in self._running]
            for number in ended[:-KEPT]:
                del self._jobs[number]


def _outcome(code: int, is_cancelled: bool, error: str, hint: str) -> dict[str, object]:
    ended: dict[str, object] = {"ended_at": clock.now()}
    if is_cancelled:
        words = "cancelled; what has arrived is stored, the same range resumes"
        return {**ended, "state": JobState.CANCELLED, "message": words}
    if code == 0:
        return {**ended, "state": JobState.DONE}
    message = error or f"the process ended with code {code}"
    return {
        **ended,
        "state": JobState.FAILED,
        "message": message,
        "hint": hint or "appliance logs supervisor",
    }
