"""A session that cannot write: the service's reading call, or the file opened read-only for each read.

DuckDB lets nobody open a file for writing while a reader has it. So the file is open only as long as one
read lasts, and a read ends early when a supervisor comes, whose store then takes the file.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from appliance import clock
from appliance.config.ownership import may_open_files_of
from appliance.config.paths import Paths
from appliance.config.settings import load_settings
from appliance.errors import StoreError, StoreUnavailable
from store.connection import connect, shut_off
from store.faults import duckdb_error, translate, writes_refused
from store.lock import StoreLock, holder
from store.migrate import require_current
from store.open import READ_SECONDS, reach_service, silent_service
from store.reading_statement import refuse_writes
from store.session import Rows, Session, Statement
from store.wire import plain_parameters

if TYPE_CHECKING:
    from store.client import FlightSession

_SERVICE = "store"
_RETRY_SECONDS = 0.05
_LOOK_SECONDS = 0.2
"""How often a read of the file looks whether a supervisor waits for it."""
_ONE_READ = threading.Lock()
"""Held during a read of a file: DuckDB opens one once in a process, with one configuration."""
_BUSY = frozenset({"store.unavailable", "store.locked"})
"""What a moment later may be over; a query that takes too long would only take as long again."""


class ReadOnlySession(Session):
    """A `Session` for readers, usable from several threads; each read goes the way that is open then.

    Args:
        paths: the home.
        wait_seconds: how long a read waits for the service, or for whoever holds the file.
        read_seconds: how long the service may take to answer one read.
    """

    def __init__(
        self, paths: Paths, *, wait_seconds: float = 5.0, read_seconds: float = READ_SECONDS
    ) -> None:
        self._paths = paths
        self._wait_seconds = wait_seconds
        self._read_seconds = read_seconds
        self._service: FlightSession | None = None
        self._is_closed = False

    def read(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        """See `Session.read`."""
        deadline = clock.monotonic() + self._wait_seconds
        while True:
            try:
                return self._read(
                    sql, parameters, max(deadline - clock.monotonic(), _RETRY_SECONDS)
                )
            except StoreUnavailable as error:
                if error.code not in _BUSY or clock.monotonic() >= deadline:
                    raise
            time.sleep(_RETRY_SECONDS)

    def stream(self, sql: str, parameters: Sequence[object] = ()) -> Rows:
        """Return the rows of one read-only statement, all of which are read at once."""
        return _ReadRows(self.read(sql, parameters))

    def write(self, *statements: Statement, batch: pa.Table | None = None) -> pa.Table:
        """Refuse: this session only reads."""
        raise writes_refused()

    def cancel(self) -> None:
        """Do nothing: whoever reads waits for it."""

    def close(self) -> None:
        """See `Session.close`."""
        self._is_closed = True
        if self._service is not None:
            self._service.close()

    def _read(self, sql: str, parameters: Sequence[object], seconds: float) -> pa.Table:
        if self._is_closed:
            raise StoreError("the store session is closed", code="store.closed")
        service = self._service or reach_service(self._paths, seconds, self._read_seconds)
        if service is not None:
            self._service = service
            try:
                return service.read(sql, parameters)
            except StoreUnavailable as error:
                if error.code in _BUSY:
                    self._service = None  # not closed: another thread may be reading
                raise
        if not may_open_files_of(_SERVICE, self._paths):
            raise silent_service(self._paths, self._wait_seconds)
        with _ONE_READ, _opened(self._paths) as connection:
            return _rows(connection, self._paths, sql, parameters)


class _ReadRows(Rows):
    """`Rows` that have been read."""

    def __init__(self, table: pa.Table) -> None:
        self._schema = table.schema
        self._batches: Iterator[pa.RecordBatch] = iter(table.to_batches())

    @property
    def schema(self) -> pa.Schema:
        """See `Rows.schema`."""
        return self._schema

    def __next__(self) -> pa.RecordBatch:
        """See `Rows.__next__`."""
        return next(self._batches)

    def cancel(self) -> None:
        """Do nothing: no query runs any more."""

    def close(self) -> None:
        """See `Rows.close`."""
        self._batches = iter(())


@contextmanager
def _opened(paths: Paths) -> Iterator[Any]:
    """Yield a read-only connection to a home's file of the current schema, the owner's lock shared."""
    file, settings = paths.store_file, load_settings(paths).store
    lock = StoreLock.share(file)
    if lock is None:
        raise StoreUnavailable(
            f"{file} is held by {holder(file)} and no store service answers",
            hint="wait until that process is done and try again; appliance status shows more",
        )
    try:
        # A supervisor that came after the first look waits for the lock; one that came before it must not.
        if not may_open_files_of(_SERVICE, paths):
            raise _given_up(paths)
        with _translated(file):
            connection = connect(file, settings, is_read_only=True)
            try:
                shut_off(connection)
                _require_store(connection, file)
                yield connection
            finally:
                connection.close()
    finally:
        lock.release()


def _require_store(connection: Any, file: Path) -> None:
    try:
        require_current(connection, file)
    except duckdb.CatalogException as error:
        raise StoreError(
            f"{file} is a DuckDB file and no store of an appliance: it has no schema_migrations",
            code="store.foreign",
            hint="name the folder of an appliance's home",
        ) from error


@contextmanager
def _translated(file: Path) -> Iterator[None]:
    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError, MemoryError) as error:
        raise translate(duckdb_error(error), file) from error


def _rows(connection: Any, paths: Paths, sql: str, parameters: Sequence[object]) -> pa.Table:
    refuse_writes(sql)
    values = plain_parameters(parameters)
    with _given_up_to_a_supervisor(connection, paths) as is_given_up:
        try:
            return connection.execute(sql, values).to_arrow_table()
        except (duckdb.Error, pa.ArrowException) as error:
            if not is_given_up.is_set():
                raise
            raise _given_up(paths) from error


def _given_up(paths: Paths) -> StoreUnavailable:
    return StoreUnavailable(
        f"the appliance of {paths.home} was started meanwhile and needs {paths.store_file}",
        hint="it answers in a moment; try again",
    )


@contextmanager
def _given_up_to_a_supervisor(connection: Any, paths: Paths) -> Iterator[threading.Event]:
    """Interrupt what runs once only the service may have the file; the event tells that this was why."""
    is_done, is_given_up = threading.Event(), threading.Event()

    def watch() -> None:
        while not is_done.wait(_LOOK_SECONDS):
            if not may_open_files_of(_SERVICE, paths):
                is_given_up.set()
                connection.interrupt()

    watcher = threading.Thread(target=watch, name="store-reader", daemon=True)
    watcher.start()
    try:
        yield is_given_up
    finally:
        is_done.set()
        watcher.join()
