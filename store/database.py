"""The DuckDB file, owned: opening it, reading, writing, and DuckDB's errors in our words."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import duckdb

from appliance.config.settings import StoreSettings
from appliance.errors import StoreError, StoreUnavailable
from store.lock import StoreLock
from store.migrate import migrate
from store.session import Statement
from store.wire import plain_parameters

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

_SPARE_BYTES = 64 * 1024 * 1024
"""Kept free on the disk: a checkpoint that finds no room makes DuckDB give up the whole database."""

_READ_ONLY = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}


class Database:
    """A `Session` on the file itself; whoever has it is the file's only owner.

    Reads run concurrently, each on a cursor of its own and in a read-only transaction; writes queue
    behind one lock.
    """

    def __init__(self, file: Path, settings: StoreSettings, lock: StoreLock) -> None:
        """Open, migrate and take over `lock`, which is released on close and on failure.

        Raises:
            StoreUnavailable: another program has the file open.
            StoreError: the file is damaged, newer than this code, or its migrations were changed.
        """
        self._file = file
        self._lock = lock
        self._write_lock = threading.Lock()
        self._running_lock = threading.Lock()
        self._running: dict[Any, Callable[[], bool]] = {}
        self._is_closed = False
        self.is_broken = False
        try:
            with self._translated():
                self._connection = _connect(file, settings)
            with self._translated():
                self.schema = _prepare(self._connection)
        except BaseException:
            lock.release()
            raise

    def read(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        """See `Session.read`."""
        return self.read_unless(_never, sql, parameters)

    def read_unless(
        self, is_abandoned: Callable[[], bool], sql: str, parameters: Sequence[object] = ()
    ) -> pa.Table:
        """Read; `interrupt_abandoned` stops the query once `is_abandoned` says so."""
        values = plain_parameters(parameters)
        with self._translated(), self._cursor(is_abandoned) as cursor:
            _refuse_writes(sql)
            cursor.execute("BEGIN TRANSACTION READ ONLY")
            return cursor.execute(sql, values).to_arrow_table()

    def write(self, *statements: Statement, batch: pa.Table | None = None) -> pa.Table:
        """See `Session.write`."""
        prepared = [(each.sql, plain_parameters(each.parameters)) for each in statements]
        with self._write_lock, self._translated(), self._cursor(_never) as cursor:
            self._refuse_when_full(0 if batch is None else batch.nbytes)
            if batch is not None:
                _show(cursor, batch)
            cursor.execute("BEGIN TRANSACTION")
            try:
                rows = [cursor.execute(sql, values).to_arrow_table() for sql, values in prepared]
                cursor.execute("COMMIT")
            except BaseException:
                with suppress(duckdb.Error):
                    cursor.execute("ROLLBACK")
                raise
            return rows[-1]

    def interrupt_abandoned(self) -> None:
        """Stop every query whose caller has gone away."""
        with self._running_lock:
            for cursor, is_abandoned in self._running.items():
                if is_abandoned():
                    cursor.interrupt()

    def interrupt_all(self) -> None:
        """Stop every running query."""
        with self._running_lock:
            for cursor in self._running:
                cursor.interrupt()

    def close(self) -> None:
        """Checkpoint, close the file, release the lock."""
        with self._write_lock:
            if self._is_closed:
                return
            self._is_closed = True
            try:
                with suppress(duckdb.Error):
                    self._connection.execute("CHECKPOINT")
                self._connection.close()
            finally:
                self._lock.release()

    def __enter__(self) -> Self:
        """Return the session itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the session."""
        self.close()

    @contextmanager
    def _cursor(self, is_abandoned: Callable[[], bool]) -> Iterator[Any]:
        if self._is_closed:
            raise StoreError("the store session is closed", code="store.closed")
        cursor = self._connection.cursor()
        with self._running_lock:
            self._running[cursor] = is_abandoned
        try:
            yield cursor
        finally:
            with self._running_lock:
                del self._running[cursor]
            cursor.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            if isinstance(error, duckdb.FatalException | duckdb.InternalException):
                self.is_broken = True
            raise translate(error, self._file) from error

    def _refuse_when_full(self, nbytes: int) -> None:
        if shutil.disk_usage(self._file.parent).free < _SPARE_BYTES + nbytes:
            raise _disk_full(self._file, "too little free space to write safely")


def translate(error: duckdb.Error, file: Path) -> StoreError:
    """Return what a DuckDB error means here: its code, and what the operator does next."""
    message = str(error).strip()
    if "No space left on device" in message:
        return _disk_full(file, message)
    if "Could not set lock on file" in message:
        return StoreUnavailable(
            f"{file} is open in another program: {message}",
            code="store.locked",
            hint="close that program; to look at the data use: appliance sql",
        )
    if "launched in read-only mode" in message:
        return _writes_refused()
    for kind, code, hint in _MEANINGS:
        if isinstance(error, kind):
            return StoreError(message, code=code, hint=hint.format(file=file))
    return StoreError(message, code="store.failed")


_MEANINGS: tuple[tuple[type[duckdb.Error], str, str], ...] = (
    (duckdb.FatalException, "store.broken", "restart the store: appliance restart store"),
    (duckdb.InternalException, "store.broken", "restart the store: appliance restart store"),
    (duckdb.SerializationException, "store.damaged", "{file} is damaged: restore a backup"),
    (duckdb.IOException, "store.io", "check that {file} is intact and its disk works"),
    (
        duckdb.OutOfMemoryException,
        "store.out_of_memory",
        "ask for fewer rows, or raise store.memory_limit in compose/appliance.toml",
    ),
    (duckdb.ConstraintException, "store.constraint", ""),
    (duckdb.InterruptException, "store.interrupted", "ask for fewer rows"),
    (duckdb.ConversionException, "store.value", ""),
    (duckdb.InvalidInputException, "store.sql", ""),
    (duckdb.ParserException, "store.sql", "tables and columns: appliance sql 'SHOW ALL TABLES'"),
    (duckdb.CatalogException, "store.sql", "tables and columns: appliance sql 'SHOW ALL TABLES'"),
    (duckdb.BinderException, "store.sql", "tables and columns: appliance sql 'SHOW ALL TABLES'"),
    (duckdb.PermissionException, "store.sql", "the store reads its own tables only"),
)


def _disk_full(file: Path, message: str) -> StoreError:
    return StoreError(
        f"the disk of {file} is full: {message}",
        code="store.disk_full",
        hint=f"free some space on the disk of {file.parent}; nothing was lost, try again after",
    )


def _connect(file: Path, settings: StoreSettings) -> Any:
    return duckdb.connect(
        str(file),
        config={
            "memory_limit": settings.memory_limit,
            "threads": settings.threads,
            "temp_directory": str(file.with_name("spill")),
            "max_temp_directory_size": "4GB",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )


def _prepare(connection: Any) -> int:
    try:
        connection.execute("SET GLOBAL TimeZone = 'UTC'")
        connection.execute("SET GLOBAL python_enable_replacements = false")
        connection.execute("SET GLOBAL enable_external_access = false")
        connection.execute("SET GLOBAL lock_configuration = true")
        return migrate(connection)
    except BaseException:
        connection.close()
        raise


def _show(cursor: Any, batch: pa.Table) -> None:
    # Copied once, because a scan of an Arrow table costs more than one of a temporary table and a batch
    # is scanned by several statements; it goes with the cursor.
    cursor.register("arriving", batch.to_reader())
    cursor.execute("CREATE TEMP TABLE batch AS FROM arriving")
    cursor.unregister("arriving")


def _refuse_writes(sql: str) -> None:
    statements = duckdb.extract_statements(sql)
    if len(statements) != 1 or statements[0].type not in _READ_ONLY:
        raise _writes_refused()


def _writes_refused() -> StoreError:
    return StoreError(
        "only one reading statement (SELECT, SHOW, DESCRIBE, SUMMARIZE, EXPLAIN) is allowed here",
        code="store.sql",
        hint="the tables are written by the workflows",
    )


def _never() -> bool:
    return False
