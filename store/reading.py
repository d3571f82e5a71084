"""The rows of one read of the file, made as they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from store.running import Running

if TYPE_CHECKING:
    import pyarrow as pa

VECTOR_ROWS = 2048
"""DuckDB makes so many rows at a time; more in one batch would have no bound when they are wide."""


class DatabaseRows:
    """`Rows` of a query that runs; holds its snapshot and its cursor until it is closed."""

    def __init__(
        self, guarded: Callable[[Running], AbstractContextManager[object]], running: Running
    ) -> None:
        """Take over a statement; `guarded` surrounds DuckDB's work on it and translates its errors."""
        self._guarded = guarded
        self._running = running
        self._held = ExitStack()
        self._reader: Any = None

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
            rows._held = stack.pop_all()
        return rows

    @property
    def schema(self) -> pa.Schema:
        """See `Rows.schema`."""
        return self._reader.schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Return itself."""
        return self

    def __next__(self) -> pa.RecordBatch:
        """Return the next rows; none are left once it was closed."""
        if self._reader is None:
            raise StopIteration
        try:
            with self._guarded(self._running):
                return self._reader.read_next_batch()
        except StopIteration:
            self.close()
            raise

    def read_all(self) -> pa.Table:
        """See `Rows.read_all`."""
        import pyarrow as pa

        with self:
            schema = self.schema
            return pa.Table.from_batches(self, schema)

    def cancel(self) -> None:
        """See `Rows.cancel`."""
        self._running.cursor.interrupt()

    def close(self) -> None:
        """See `Rows.close`."""
        self._reader = None
        self._held.close()

    def __enter__(self) -> Self:
        """Return the rows themselves."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()
