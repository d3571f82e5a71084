"""The heartbeats of Airflow's scheduler and dag-processor, read where they are written.

The api-server shows them too, but a frozen api-server would hide a frozen scheduler.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from appliance import clock
from appliance.supervisor.postgres_query import PostgresSilent, ask, connect
from appliance.supervisor.procfs import child_states
from appliance.supervisor.spec import Probe, ProcessFacts

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

LOOK_SECONDS = 2.5
_CLOCK_SLACK = timedelta(seconds=1)
_NEWEST = "SELECT max(latest_heartbeat) FROM job WHERE job_type = %s AND state = 'running'"
_WORKER_TITLE = "airflow worker -- LocalExecutor"


class HeartbeatProbe:
    """Ready when Airflow's metadata hold a fresh heartbeat of this very process.

    Args:
        dsn: libpq's words for the metadata database.
        job_type: `SchedulerJob` or `DagProcessorJob`.
        limit_seconds: a fresh heartbeat is younger than this on a quiet machine.
    """

    def __init__(self, dsn: str, job_type: str, limit_seconds: float) -> None:
        self._dsn = dsn
        self._job_type = job_type
        self._limit_seconds = limit_seconds
        self._connection: Connection | None = None

    def __call__(self, process: ProcessFacts) -> Probe:
        """Look once."""
        try:
            beat_at = self._newest(clock.monotonic() + LOOK_SECONDS * process.slowness)
        except PostgresSilent as failure:
            self._forget()
            return Probe(is_ready=False, evidence=f"no heartbeat: {failure}", is_blind=True)
        return judge_heartbeat(beat_at, process, clock.now(), self._limit_seconds)

    def _newest(self, until: float) -> datetime | None:
        if self._connection is None:
            self._connection = connect(self._dsn, until)
        ((beat_at,),) = ask(self._connection, _NEWEST, (self._job_type,), until)
        return beat_at if isinstance(beat_at, datetime) else None

    def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


@dataclass(frozen=True, slots=True)
class SchedulerProbe:
    """Ready when the scheduler beats and all its task workers live.

    A worker that is killed may take the lock of the queue with it, after which the others wait for
    ever and no task starts; one that a signal has stopped starts none either.
    """

    heartbeat: HeartbeatProbe
    workers: int

    def __call__(self, process: ProcessFacts) -> Probe:
        """Look once."""
        beat = self.heartbeat(process)
        if not beat.is_ready:
            return beat
        states = child_states(process.pid, _WORKER_TITLE)
        living = sum(state != "T" for state in states)
        if living < self.workers:
            evidence = f"{living} of {self.workers} task workers run"
            return Probe(is_ready=False, evidence=evidence, is_certain=True)
        return Probe(is_ready=True, evidence=f"{beat.evidence}, {living} task workers")


def judge_heartbeat(
    beat_at: datetime | None, process: ProcessFacts, now: datetime, limit_seconds: float
) -> Probe:
    """Return what a heartbeat proves: nothing when it is older than the process or than the limit.

    One that is too old is many missed ones: no second look is needed.
    """
    if beat_at is None or beat_at < process.started_at - _CLOCK_SLACK:
        return Probe(is_ready=False, evidence="no heartbeat since its start yet")
    age = (now - beat_at).total_seconds()
    if age > limit_seconds * process.slowness:
        return Probe(is_ready=False, evidence=f"last heartbeat {age:.0f} s ago", is_certain=True)
    return Probe(is_ready=True, evidence="heartbeat is fresh")


def socket_dsn(directory: Path, database: str) -> str:
    """Return libpq's words for a server on a unix socket, whatever the folder is called."""
    from psycopg2.extensions import make_dsn

    return make_dsn(host=str(directory), user=database, dbname=database)


def url_dsn(url: str) -> str:
    """Return libpq's words for SQLAlchemy's URL of a PostgreSQL server."""
    scheme, _, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}://{rest}"
