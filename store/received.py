"""The rows of one read, as they arrive from the service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

import pyarrow as pa


class FlightRows:
    """`Rows` of a Flight stream."""

    def __init__(
        self, reader: Any, translated: Callable[[], AbstractContextManager[object]]
    ) -> None:
        """Take over a Flight reader; `translated` surrounds calls and translates their errors."""
        self._reader = reader
        self._translated = translated
        self._is_over = False

    @property
    def schema(self) -> pa.Schema:
        """See `Rows.schema`."""
        return self._reader.schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Return itself."""
        return self

    def __next__(self) -> pa.RecordBatch:
        """Return the next rows; none are left once it was closed."""
        if self._is_over:
            raise StopIteration
        try:
            with self._translated():
                return self._reader.read_chunk().data
        except StopIteration:
            self._is_over = True
            raise

    def read_all(self) -> pa.Table:
        """See `Rows.read_all`."""
        with self:
            return pa.Table.from_batches(self, self.schema)

    def cancel(self) -> None:
        """See `Rows.cancel`."""
        self._reader.cancel()

    def close(self) -> None:
        """See `Rows.close`."""
        if not self._is_over:
            self._is_over = True
            self._reader.cancel()

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
