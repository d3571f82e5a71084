"""The rows of one read of the file, made as they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Any, Self

from store.rows_in_flight import PIECE_BYTES, joined
from store.running import Running
from store.session import Rows

if TYPE_CHECKING:
    import pyarrow as pa

VECTOR_ROWS = 2048
"""DuckDB makes so many rows at a time; more in one batch would have no bound when they are wide."""


class DatabaseRows(Rows):
    """`Rows` of a query that runs; holds its snapshot and its cursor until it is closed."""

    def __init__(
        self, guarded: Callable[[Running], AbstractContextManager[object]], running: Running
    ) -> None:
        """Take over a statement; `guarded` surrounds DuckDB's work on it and translates its errors."""
        self._guarded = guarded
        self._running = running
        self._held = ExitStack()
        self._reader: Any = None
        self._ahead: pa.RecordBatch | None = None
        self._schema: pa.Schema

    @classmethod
    def begin(
        cls,
        statements: AbstractContextManager[Running],
        guarded: Callable[[Running], AbstractContextManager[object]],
        sql: str,
        values: Sequence[object],
    ) -> Self:
        """Run the statement up to its first rows, in a read-only transaction."""
        with ExitStack() as stack:
            rows = cls(guarded, stack.enter_context(statements))
            with guarded(rows._running) as _:
                cursor = rows._running.cursor
                cursor.execute("BEGIN TRANSACTION READ ONLY")
                rows._reader = cursor.execute(sql, values).to_arrow_reader(VECTOR_ROWS)
                rows._schema = rows._reader.schema
                rows._ahead = next(rows._reader, None)
            rows._held = stack.pop_all()
        if rows._ahead is None:
            rows.close()
        return rows

    @property
    def schema(self) -> pa.Schema:
        """See `Rows.schema`."""
        return self._schema

    def __next__(self) -> pa.RecordBatch:
        """Return the next rows, small batches put together; none are left once it was closed."""
        if self._reader is None:
            raise StopIteration
        with self._guarded(self._running):
            held = self._take()
        if self._ahead is None:
            self.close()
        return joined(held)

    @property
    def is_over(self) -> bool:
        """Whether no more rows will come."""
        return self._reader is None

    def _take(self) -> list[pa.RecordBatch]:
        """Return batches of up to `PIECE_BYTES` together, or one larger, and read one ahead."""
        held: list[pa.RecordBatch] = []
        size = 0
        while self._ahead is not None and (not held or size + self._ahead.nbytes <= PIECE_BYTES):
            held.append(self._ahead)
            size += self._ahead.nbytes
            self._ahead = next(self._reader, None)
        return held

    def cancel(self) -> None:
        """See `Rows.cancel`."""
        self._running.cursor.interrupt()

    def close(self) -> None:
        """See `Rows.close`."""
        self._reader = self._ahead = None
        self._held.close()
