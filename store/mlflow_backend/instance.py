"""The opened DuckDB file: who in this process uses it, and handing it to a process that waits.

While a home's supervisor lives, its MLflow service alone opens the home's file.

DuckDB lets one process at a time open a file for writing. MLflow's command line opens the backend store
once to check it and then starts the server in another process, so whoever has the file open and idle gives
it up as soon as another process asks. A process asks by a shared flock on `<file>.wanted` while it waits.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from duckdb_sqlalchemy import ConnectionWrapper, __version__, sqlalchemy_version
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

from appliance.config.ownership import may_open_files_of
from appliance.config.paths import Paths

WAIT_S = 30.0
_ASK_S = 0.05
_LOOK_S = 0.2
_SQLITE_MAGIC = b"SQLite format 3\0"
_USER_AGENT = f"duckdb-sqlalchemy/{__version__}(sqlalchemy/{sqlalchemy_version})"
_SETTINGS = (
    # Statements are small, and starting a second thread costs more than it saves.
    "threads = 1",
    "memory_limit = '512MB'",
    "autoinstall_known_extensions = false",
)


class Lease(ConnectionWrapper):
    """One connection; giving it back lets the file go when nobody else in the process needs it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, done: Callable[[], None]) -> None:
        super().__init__(connection)
        self.native = connection
        self._done: Callable[[], None] | None = done

    def close(self) -> None:
        """Close the connection; a second call does nothing."""
        done, self._done = self._done, None
        if done is not None:
            try:
                super().close()
            finally:
                done()


class Instance:
    """A file, opened on first use and kept open until another process asks for it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._root: duckdb.DuckDBPyConnection | None = None
        self._leases = 0

    def connect(self) -> Lease:
        """Return a new connection to the file.

        Raises:
            MlflowException: another process kept the file for `WAIT_S` seconds.
        """
        with self._lock:
            if self._root is None:
                self._root = _open(self._path)
                watcher = threading.Thread(target=self._watch, name="mlflow-duckdb", daemon=True)
                watcher.start()
            self._leases += 1
            return Lease(self._root.cursor(), self._give_back)

    def close(self) -> bool:
        """Close the file unless a connection is in use; tell whether it is closed."""
        with self._lock:
            if self._leases == 0 and self._root is not None:
                self._root.close()
                self._root = None
            return self._root is None

    def _give_back(self) -> None:
        with self._lock:
            self._leases -= 1

    def _watch(self) -> None:
        wanted = _wanted_file(self._path)
        while True:
            time.sleep(_LOOK_S)
            if _is_wanted(wanted) and self.close():
                return


def _wanted_file(path: Path) -> Path:
    return path.with_name(path.name + ".wanted")


def _open(path: Path) -> duckdb.DuckDBPyConnection:
    path.parent.mkdir(parents=True, exist_ok=True)
    _refuse_owned(path)
    _refuse_sqlite(path)
    deadline = time.monotonic() + WAIT_S
    try:
        return _try(path)
    except duckdb.IOException as error:
        if not _is_lock_conflict(error):
            raise
    with _asking(_wanted_file(path)):
        while True:
            time.sleep(_ASK_S)
            try:
                return _try(path)
            except duckdb.IOException as error:
                if not _is_lock_conflict(error):
                    raise
                if time.monotonic() > deadline:
                    raise MlflowException(
                        f"{path} is in use by another process, which did not give it up in "
                        f"{WAIT_S:.0f} s: {error}. Stop that process, or use its server's URL.",
                        error_code=TEMPORARILY_UNAVAILABLE,
                    ) from error


def _try(path: Path) -> duckdb.DuckDBPyConnection:
    # Configured like the dialect's own engines, which could not open the file in this process otherwise.
    connection = duckdb.connect(str(path), config={"custom_user_agent": _USER_AGENT})
    for setting in _SETTINGS:
        connection.execute(f"SET {setting}")
    return connection


def _refuse_owned(path: Path) -> None:
    """Refuse the file of a home whose MLflow service owns it, and whose server is the way in."""
    home = Paths(path.parent.parent)
    if path == home.mlflow_database and not may_open_files_of("mlflow", home):
        raise MlflowException(
            f"{path} belongs to the MLflow service of the appliance in {home.home}, which runs: "
            "use its server, or stop it with `appliance down`.",
            error_code=TEMPORARILY_UNAVAILABLE,
        )


def _refuse_sqlite(path: Path) -> None:
    """Refuse a SQLite file, for which DuckDB would load an extension from the network."""
    try:
        with path.open("rb") as file:
            is_sqlite = file.read(len(_SQLITE_MAGIC)) == _SQLITE_MAGIC
    except FileNotFoundError:
        return
    if is_sqlite:
        raise MlflowException.invalid_parameter_value(
            f"{path} is a SQLite database. Copy it into a DuckDB file: "
            f"python -m store.mlflow_backend copy sqlite:///{path} duckdb:///NEW_FILE"
        )


def _is_lock_conflict(error: duckdb.IOException) -> bool:
    return "Could not set lock on file" in str(error)


@contextmanager
def _asking(wanted: Path) -> Iterator[None]:
    descriptor = os.open(wanted, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def _is_wanted(wanted: Path) -> bool:
    try:
        descriptor = os.open(wanted, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
