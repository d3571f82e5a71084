"""What every table module needs of the store: read, write, close.

Whoever reads in another way inherits from `Rows` and `Session`, which close themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement with its positional parameters (`?`).

    Parameters are None, bool, int, float, str, aware datetime, or a sequence of these.
    """

    sql: str
    parameters: tuple[object, ...] = ()


class Closable(Protocol):
    """What is closed on leaving its context."""

    def close(self) -> None:
        """Give back what it holds; a second call does nothing."""
        ...

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()


class Rows(Closable, Protocol):
    """The rows of one read, batch after batch, as the reader takes them.

    Every method raises as those of `Session` do. The store keeps a snapshot for the reader, who
    is to take the rows or to close them; one that does neither for half a minute loses them.
    """

    @property
    def schema(self) -> pa.Schema:
        """The columns; known before the first row."""
        ...

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Iterate over the batches, once."""
        return self

    def __next__(self) -> pa.RecordBatch:
        """Return the next batch; none is left once the rows were closed."""
        ...

    def read_all(self) -> pa.Table:
        """Return what is left of the rows as one table."""
        import pyarrow as pa

        with self:
            return pa.Table.from_batches(self, self.schema)

    def cancel(self) -> None:
        """Stop the query; the one call that another thread may make meanwhile."""
        ...

    def close(self) -> None:
        """End the query and give back what it holds; a second call does nothing."""
        ...


class Session(Closable, Protocol):
    """A way to the store; may be used from several threads at once.

    Every method raises `StoreUnavailable` when the store cannot be reached and `StoreError` when it
    refuses.
    """

    def read(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        """Return the rows of one read-only statement; instants are timestamp[us, UTC]."""
        ...

    def stream(self, sql: str, parameters: Sequence[object] = ()) -> Rows:
        """Return the rows of one read-only statement as they are made, in bounded memory."""
        ...

    def write(self, *statements: Statement, batch: pa.Table | None = None) -> pa.Table:
        """Run the statements in one transaction, all or none, and return the last one's rows.

        The statements see `batch` as a table named `batch`. When this returns, the write survives
        a kill of the process that owns the file.
        """
        ...

    def cancel(self) -> None:
        """Stop what runs for this session, as far as it can be; for another thread to call."""
        ...

    def close(self) -> None:
        """Give back what the session holds; a second call does nothing."""
        ...
