"""How each kind of service proves that it serves."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from appliance import clock
from appliance.config.listeners import Listener, UnprovenListener, prove
from appliance.config.paths import Paths
from appliance.errors import ConfigError, StoreError
from appliance.forecaster_api.client import ForecasterUnavailable, ask_report
from appliance.forecaster_api.wire import LiveProject
from appliance.supervisor.heartbeats import LOOK_SECONDS, judge_heartbeat, socket_dsn
from appliance.supervisor.postgres_query import PostgresSilent, ask, connect
from appliance.supervisor.slowness import LONGEST
from appliance.supervisor.spec import Probe, ProcessFacts

if TYPE_CHECKING:
    from store.client import FlightSession

HTTP_SECONDS = 2.5
"""How long a service may take to answer on a quiet machine."""
WARM_SECONDS = 8.0
"""How long the execution API may take to build its routes, at its first call."""


class NoAnswer(Exception):
    """Nothing usable came back; the text is evidence for the operator."""


def get_json(
    listener: Listener,
    path: str,
    seconds: float = HTTP_SECONDS,
    headers: Mapping[str, str] | None = None,
) -> Any:
    """GET a JSON document from a service of this home.

    Raises:
        NoAnswer: refused, too slow, not ours, not 200, or not JSON.
    """
    try:
        return json.loads(get(listener, path, seconds, headers))
    except ValueError as error:
        raise NoAnswer(f"GET {path} answered no JSON") from error


def get(
    listener: Listener,
    path: str,
    seconds: float = HTTP_SECONDS,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """GET a document from a service of this home.

    Raises:
        NoAnswer: refused, too slow, not ours, or not 200.
    """
    connection = _ProvenConnection(listener, seconds)
    try:
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        body = response.read()
    except UnprovenListener as error:
        raise NoAnswer(error.message) from error
    except (ConnectionRefusedError, ConnectionResetError, BrokenPipeError) as error:
        raise NoAnswer(f"does not serve on {listener.url} yet") from error
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(f"GET {path}: {error or type(error).__name__}") from error
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise NoAnswer(f"GET {path} answered {response.status}")
    return body


class _ProvenConnection(http.client.HTTPConnection):
    """Sends nothing before the listener has proved to be the supervisor's own."""

    def __init__(self, listener: Listener, seconds: float) -> None:
        super().__init__(*listener.address, timeout=seconds)
        self._listener = listener

    def connect(self) -> None:
        super().connect()
        prove(self._listener)


@dataclass(frozen=True, slots=True)
class HttpProbe:
    """Ready when a GET answers 200 with JSON."""

    listener: Listener
    path: str

    def __call__(self, process: ProcessFacts) -> Probe:
        """Look once."""
        try:
            get_json(self.listener, self.path, HTTP_SECONDS * process.slowness)
        except NoAnswer as failure:
            return Probe(is_ready=False, evidence=str(failure))
        return Probe(is_ready=True, evidence=f"GET {self.path} answers")


@dataclass(frozen=True, slots=True)
class MlflowProbe:
    """Ready when MLflow's server is up and its registry answers a read.

    `authorization` gives the value of the header that the read needs.
    """

    listener: Listener
    authorization: Callable[[], str]

    def __call__(self, process: ProcessFacts) -> Probe:
        """Look once."""
        try:
            seconds = HTTP_SECONDS * process.slowness
            get(self.listener, "/health", seconds)
            credentials = {"Authorization": self.authorization()}
            search = "/api/2.0/mlflow/registered-models/search?max_results=1"
            get_json(self.listener, search, seconds, credentials)
        except (NoAnswer, ConfigError) as failure:
            return Probe(is_ready=False, evidence=str(failure))
        return Probe(is_ready=True, evidence="the registry answers a read")


class AirflowApiProbe:
    """Ready when both of the API server's applications answer and it reaches its database.

    The execution API builds its routes at its first call, which takes seconds: one call here
    spares the first task that wait.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._version = ""
        self._warm_pid = 0

    def __call__(self, process: ProcessFacts) -> Probe:
        """Look once."""
        seconds = HTTP_SECONDS * process.slowness
        try:
            health = get_json(self._listener, "/api/v2/monitor/health", seconds)
            if health["metadatabase"]["status"] != "healthy":
                return Probe(is_ready=False, evidence="cannot reach its metadata database")
            if self._warm_pid != process.pid:
                self._version = get_json(self._listener, "/api/v2/version", seconds)["version"]
                get_json(self._listener, "/execution/health", WARM_SECONDS * process.slowness)
                self._warm_pid = process.pid
        except (NoAnswer, KeyError, TypeError) as failure:
            return Probe(is_ready=False, evidence=str(failure))
        return Probe(is_ready=True, evidence=f"Airflow {self._version} answers, metadata reachable")


@dataclass(frozen=True, slots=True)
class PostgresProbe:
    """Ready when a query over a new connection to the unix socket is answered."""

    socket_directory: Path
    database: str

    def __call__(self, process: ProcessFacts) -> Probe:
        """Look once."""
        refused = _refusal(self.socket_directory / ".s.PGSQL.5432")
        if refused:
            return Probe(is_ready=False, evidence=refused)
        until = clock.monotonic() + LOOK_SECONDS * process.slowness
        try:
            connection = connect(socket_dsn(self.socket_directory, self.database), until)
            with closing(connection):
                ask(connection, "SELECT 1", (), until)
        except PostgresSilent as silent:
            return Probe(is_ready=False, evidence=str(silent))
        return Probe(is_ready=True, evidence="answers a query")


class _StoreClient:
    """A channel to the store's service, never the file itself; made at the first successful look.

    The channel reconnects by itself when the service comes back.
    """

    def __init__(self, socket_path: Path) -> None:
        self._path = socket_path
        self._session: FlightSession | None = None

    def get(self) -> FlightSession:
        """Return the session.

        Raises:
            NoAnswer: nobody listens.
        """
        refused = _refusal(self._path)
        if refused:
            raise NoAnswer(refused)
        if self._session is None:
            from store.client import FlightSession

            self._session = FlightSession(self._path, read_seconds=HTTP_SECONDS * LONGEST)
        return self._session


class StoreProbe:
    """Ready when this very store process answers a query over its socket."""

    def __init__(self, paths: Paths) -> None:
        self._client = _StoreClient(paths.store_socket)

    def __call__(self, process: ProcessFacts) -> Probe:
        """Look once."""
        try:
            health = self._client.get().health(HTTP_SECONDS * process.slowness)
        except (NoAnswer, StoreError) as failure:
            return Probe(is_ready=False, evidence=str(failure))
        if health.pid != process.pid:
            return Probe(is_ready=False, evidence=f"its socket is answered by pid {health.pid}")
        return Probe(is_ready=True, evidence=f"answers a query, DuckDB {health.version}")


class IngestorProbe:
    """Ready when the ingestor has lately written its heartbeat into the store."""

    def __init__(self, paths: Paths, limit_seconds: float = 9.0) -> None:
        self._client = _StoreClient(paths.store_socket)
        self._limit_seconds = limit_seconds

    def __call__(self, process: ProcessFacts) -> Probe:
        """Look once."""
        from store.live import read_ingestion

        try:
            statuses = read_ingestion(self._client.get())
        except (NoAnswer, StoreError) as failure:
            return Probe(is_ready=False, evidence=str(failure))
        newest = max((status.heartbeat_at for status in statuses), default=None)
        return judge_heartbeat(newest, process, clock.now(), self._limit_seconds)


@dataclass(frozen=True, slots=True)
class ForecasterProbe:
    """Ready when this very forecaster answers on its socket; what it waits for is evidence."""

    paths: Paths

    def __call__(self, process: ProcessFacts) -> Probe:
        """Look once."""
        try:
            report = ask_report(self.paths, HTTP_SECONDS * process.slowness)
        except ForecasterUnavailable as failure:
            return Probe(is_ready=False, evidence=str(failure))
        if report.pid != process.pid:
            return Probe(is_ready=False, evidence=f"its socket is answered by pid {report.pid}")
        return Probe(
            is_ready=True, evidence="; ".join(map(_in_words, report.projects)) or "answers"
        )


def _in_words(project: LiveProject) -> str:
    if project.message:
        return f"{project.project} {project.state.value}: {project.message}"
    return f"{project.project} {project.state.value}, version {project.model_version}"


def _refusal(path: Path) -> str:
    """Return why nobody answers on a unix socket, "" when somebody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2.0)
        try:
            probe.connect(str(path))
        except OSError:
            return f"does not listen on {path.name} yet"
    return ""
