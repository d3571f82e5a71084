"""The DuckDB file, owned: opening it, reading, writing, checkpointing, opening it again after a failure."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
import pyarrow

from appliance import clock
from appliance.config.settings import StoreSettings
from appliance.errors import StoreError, StoreUnavailable
from store.arriving import ArrivingBatch
from store.connection import connect, prepare, spill_of, wal_bytes
from store.faults import disk_full, duckdb_error, is_fatal, translate
from store.lock import StoreLock
from store.memory import duckdb_limit, purge
from store.reading import DatabaseRows
from store.reading_statement import refuse_writes
from store.running import Running, RunningStatements
from store.session import Session, Statement
from store.wire import plain_parameters

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")

log = logging.getLogger(__name__)

_SPARE_BYTES = 64 * 1024 * 1024
"""Kept free on the disk: a checkpoint that finds no room makes DuckDB give up the whole database."""

_WAL_BYTES = 64 * 1024 * 1024
"""A write that leaves more than this in the log makes the checkpoint itself."""

_OLDER_SECONDS = 0.5
"""How long a checkpoint waits for statements that began before the newest write."""

_LEAVE_SECONDS = 5.0
"""How long reading a database that DuckDB gave up may take to fail."""

_OWN_SECONDS = 0.25
"""A statement that works longer before it finds no memory has itself taken it."""

_PATIENCE_SECONDS = 4.0
"""How long a statement waits for memory that others have; after a quarter of it they give way."""

_RETRY_SECONDS = 0.05


class Database(Session):
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
        self._open_lock = threading.RLock()
        self._checkpoint_lock = threading.RLock()
        self._statements = RunningStatements()
        self._is_closed = False
        self.is_broken = False
        self.written_at = clock.monotonic()
        try:
            # A process that was killed leaves there what it had moved to the disk.
            shutil.rmtree(spill_of(file), ignore_errors=True)
            self._connection, self.schema = self._open()
        except BaseException:
            lock.release()
            raise

    def read(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        """See `Session.read`."""
        return self.stream(sql, parameters).read_all()

    def stream(self, sql: str, parameters: Sequence[object] = ()) -> DatabaseRows:
        """See `Session.stream`."""
        return self.stream_unless(_never, sql, parameters)

    def stream_unless(
        self, is_abandoned: Callable[[], bool], sql: str, parameters: Sequence[object] = ()
    ) -> DatabaseRows:
        """Read; `interrupt_abandoned` stops the query once `is_abandoned` says so."""
        values = plain_parameters(parameters)
        with self._translated():
            refuse_writes(sql)
        return self._with_memory(
            lambda: DatabaseRows.begin(
                self._cursor(is_abandoned, may_be_ended=True), self._at_work, sql, values
            )
        )

    def write(
        self, *statements: Statement, batch: pa.Table | ArrivingBatch | None = None
    ) -> pa.Table:
        """See `Session.write`; an arriving batch is taken before the write's turn."""
        prepared = [(each.sql, plain_parameters(each.parameters)) for each in statements]
        with self._cursor(_never) as running:
            if batch is not None:
                with self._at_work(running):
                    _show(running.cursor, batch)
            with self._write_lock:
                self._refuse_when_full(0 if batch is None else batch.nbytes)
                rows = self._with_memory(lambda: self._transaction(running, prepared))
        self._bound_log()
        return rows

    def _transaction(
        self, running: Running, prepared: Sequence[tuple[str, Sequence[object]]]
    ) -> pa.Table:
        cursor = running.cursor
        with self._at_work(running):
            cursor.execute("BEGIN TRANSACTION")
            try:
                rows = None
                for sql, values in prepared:
                    rows = cursor.execute(sql, values).to_arrow_table()
                cursor.execute("COMMIT")
            except BaseException:
                with suppress(duckdb.Error):
                    cursor.execute("ROLLBACK")
                raise
            self.written_at = clock.monotonic()
        return rows

    def checkpoint(self) -> bool:
        """Move the write-ahead log into the file; False when that has to wait.

        It waits for disk space, for a backup, and for what else DuckDB has running.
        """
        if not self._checkpoint_lock.acquire(blocking=False):
            return False
        try:
            with self._write_lock, self._translated(), self._cursor(_never) as running:
                self._refuse_when_full(wal_bytes(self.file))
                _checkpoint(running.cursor)
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
        with self._checkpoint_lock, self._translated(), self._cursor(_never) as running:
            cursor = running.cursor
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
        with self._open_lock:
            if not self.is_broken or self._is_closed:
                return
            self.cancel()
            if not self._statements.wait_until_none(_LEAVE_SECONDS):
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
        self._statements.interrupt_abandoned()

    def cancel(self) -> None:
        """Stop every running query."""
        self._statements.interrupt_all()

    def end_longest_read(self) -> bool:
        """Stop the read that has run longest, so that others find memory; False when none runs long."""
        return self._statements.end_longest()

    def tidy(self) -> None:
        """Give back the memory of statements that have ended and took long."""
        if self._statements.take_ended_heavy():
            purge()

    def duckdb_limit(self) -> int:
        """Return the memory in bytes that DuckDB's buffers may take."""
        return duckdb_limit(self._connection)

    def close(self) -> None:
        """Checkpoint, close the file, release the lock."""
        with self._checkpoint_lock, self._write_lock, self._open_lock:
            if self._is_closed:
                return
            self._is_closed = True
            try:
                with suppress(duckdb.Error):
                    self._connection.execute("CHECKPOINT")
                self._connection.close()
            finally:
                self._lock.release()

    def _open(self) -> tuple[Any, int]:
        try:
            connection = connect(self.file, self._settings)
            return connection, prepare(connection)
        except duckdb.Error as error:
            raise translate(error, self.file) from error

    def _cursor(
        self, is_abandoned: Callable[[], bool], *, may_be_ended: bool = False
    ) -> AbstractContextManager[Running]:
        if self.is_broken:
            self.recover()
        return self._statements.on(self._open_cursor, is_abandoned, may_be_ended)

    def _open_cursor(self) -> Any:
        if self._is_closed:
            raise StoreError("the store session is closed", code="store.closed")
        return self._connection.cursor()

    def _with_memory(self, work: Callable[[], T]) -> T:
        """Do it again when it found no memory at once: somebody else has it, who gives way to it."""
        began = clock.monotonic()
        while True:
            started = clock.monotonic()
            try:
                return work()
            except StoreError as error:
                now = clock.monotonic()
                is_alone = now > began + _RETRY_SECONDS and not self._statements.has_reads()
                is_own = is_alone or now - started > _OWN_SECONDS
                if error.code != "store.out_of_memory" or is_own or now - began > _PATIENCE_SECONDS:
                    raise
                if now - began > _PATIENCE_SECONDS / 4:
                    self.end_longest_read()
            purge()
            time.sleep(_RETRY_SECONDS)

    @contextmanager
    def _at_work(self, running: Running) -> Iterator[None]:
        with self._statements.at_work(running):
            try:
                with self._translated():
                    yield
            except StoreError as error:
                raise running.reason or error from error

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (duckdb.Error, pyarrow.ArrowException, OSError, MemoryError) as error:
            cause = duckdb_error(error)
            if is_fatal(cause):
                self.is_broken = True
            raise translate(cause, self.file) from error

    def _bound_log(self) -> None:
        if wal_bytes(self.file) > _WAL_BYTES:
            self.checkpoint()

    def _refuse_when_full(self, nbytes: int) -> None:
        if shutil.disk_usage(self.file.parent).free < _SPARE_BYTES + nbytes:
            raise disk_full(self.file, "too little free space to write safely")


def _checkpoint(cursor: Any) -> None:
    # DuckDB refuses while a statement runs that is older than the newest write. The caller holds writes
    # off, so those that begin now are no hindrance, and the older ones are over in a moment.
    deadline = clock.monotonic() + _OLDER_SECONDS
    while True:
        try:
            cursor.execute("CHECKPOINT")
        except duckdb.TransactionException:
            if clock.monotonic() >= deadline:
                raise
            time.sleep(_OLDER_SECONDS / 50)
        else:
            return


def _show(cursor: Any, batch: pa.Table | ArrivingBatch) -> None:
    # Copied once, because a scan of an Arrow table costs more than one of a temporary table and a batch
    # is scanned by several statements; it goes with the cursor. DuckDB moves it to the disk when it is large.
    cursor.register("arriving", batch.to_reader())
    cursor.execute("CREATE TEMP TABLE batch AS FROM arriving")
    cursor.unregister("arriving")
    if isinstance(batch, ArrivingBatch):
        batch.refuse_part()


def _never() -> bool:
    return False
