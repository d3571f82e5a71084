"""The DuckDB file, owned: opening it, reading, writing, checkpointing, opening it again after a failure."""

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

from appliance import clock
from appliance.config.settings import StoreSettings
from appliance.errors import StoreError, StoreUnavailable
from store.connection import connect, prepare, wal_bytes
from store.faults import disk_full, is_fatal, translate, writes_refused
from store.lock import StoreLock
from store.session import Statement
from store.wire import plain_parameters

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

_SPARE_BYTES = 64 * 1024 * 1024
"""Kept free on the disk: a checkpoint that finds no room makes DuckDB give up the whole database."""

_WAL_BYTES = 64 * 1024 * 1024
"""A write that leaves more than this in the log makes the checkpoint itself."""

_LEAVE_SECONDS = 5.0
"""How long reading a database that DuckDB gave up may take to fail."""

_READ_ONLY = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}


class Database:
    """A `Session` on the file itself; whoever has it is the file's only owner.

    Reads run concurrently, each on a cursor of its own and in a read-only transaction; writes queue
    behind one lock. When DuckDB gives the database up (a checkpoint found the disk full), the next
    call opens the file again.
    """

    def __init__(self, file: Path, settings: StoreSettings, lock: StoreLock) -> None:
        """Open, migrate and take over `lock`, which is released on close and on failure.

        Raises:
            StoreUnavailable: another program has the file open.
            StoreError: the file is damaged, newer than this code, or its migrations were changed.
        """
        self.file = file
        self._settings = settings
        self._lock = lock
        self._write_lock = threading.RLock()
        self._checkpoint_lock = threading.RLock()
        self._running_lock = threading.Condition()
        self._running: dict[Any, Callable[[], bool]] = {}
        self._is_closed = False
        self.is_broken = False
        self.written_at = clock.monotonic()
        try:
            self._connection, self.schema = self._open()
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
            self.written_at = clock.monotonic()
        self._bound_log()
        return rows[-1]

    def checkpoint(self) -> bool:
        """Move the write-ahead log into the file; False when that has to wait.

        It waits for disk space, for a backup, and for what else DuckDB has running.
        """
        if not self._checkpoint_lock.acquire(blocking=False):
            return False
        try:
            with self._write_lock, self._translated(), self._cursor(_never) as cursor:
                self._refuse_when_full(wal_bytes(self.file))
                cursor.execute("CHECKPOINT")
        except StoreError as error:
            log.warning("checkpoint: %s code=%s", error.message, error.code)
            return False
        finally:
            self._checkpoint_lock.release()
        return True

    @contextmanager
    def snapshot(self) -> Iterator[tuple[Any, int]]:
        """Hold checkpoints off; yields a cursor in a transaction and the log's size at its instant.

        Until the context ends nothing that the file or that much of its log holds is overwritten:
        only a checkpoint frees blocks, and between two of them the log only grows. So copies of both,
        made meanwhile, are together a consistent store as of that instant, while writes go on.
        """
        with self._checkpoint_lock, self._translated(), self._cursor(_never) as cursor:
            with self._write_lock:
                cursor.execute("BEGIN TRANSACTION READ ONLY")
                cursor.execute("SELECT count(*) FROM schema_migrations").fetchall()
                size = wal_bytes(self.file)
            yield cursor, size

    def recover(self) -> None:
        """Open the file again when DuckDB gave it up; nothing that was acknowledged is lost.

        Raises:
            StoreError: not possible yet, such as without disk space; the next call tries again.
        """
        with self._write_lock:
            if not self.is_broken or self._is_closed:
                return
            self.interrupt_all()
            with self._running_lock:
                if not self._running_lock.wait_for(lambda: not self._running, _LEAVE_SECONDS):
                    raise StoreUnavailable(
                        "the database stopped working and waits for running queries to end",
                        code="store.broken",
                        hint="try again",
                    )
            self._connection.close()
            self._connection, self.schema = self._open()
            self.is_broken = False
            log.warning("opened the file again after a failure file=%s", self.file)

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
        with self._checkpoint_lock, self._write_lock:
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

    def _open(self) -> tuple[Any, int]:
        try:
            connection = connect(self.file, self._settings)
            return connection, prepare(connection)
        except duckdb.Error as error:
            raise translate(error, self.file) from error

    @contextmanager
    def _cursor(self, is_abandoned: Callable[[], bool]) -> Iterator[Any]:
        if self.is_broken:
            self.recover()
        with self._running_lock:
            if self._is_closed:
                raise StoreError("the store session is closed", code="store.closed")
            cursor = self._connection.cursor()
            self._running[cursor] = is_abandoned
        try:
            yield cursor
        finally:
            cursor.close()
            with self._running_lock:
                del self._running[cursor]
                self._running_lock.notify_all()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            if is_fatal(error):
                self.is_broken = True
            raise translate(error, self.file) from error

    def _bound_log(self) -> None:
        if wal_bytes(self.file) > _WAL_BYTES:
            self.checkpoint()

    def _refuse_when_full(self, nbytes: int) -> None:
        if shutil.disk_usage(self.file.parent).free < _SPARE_BYTES + nbytes:
            raise disk_full(self.file, "too little free space to write safely")


def _show(cursor: Any, batch: pa.Table) -> None:
    # Copied once, because a scan of an Arrow table costs more than one of a temporary table and a batch
    # is scanned by several statements; it goes with the cursor.
    cursor.register("arriving", batch.to_reader())
    cursor.execute("CREATE TEMP TABLE batch AS FROM arriving")
    cursor.unregister("arriving")


def _refuse_writes(sql: str) -> None:
    statements = duckdb.extract_statements(sql)
    if len(statements) != 1 or statements[0].type not in _READ_ONLY:
        raise writes_refused()


def _never() -> bool:
    return False
