"""The rows of one read, as they arrive from the service."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pyarrow as pa

from store.session import Rows


class FlightRows(Rows):
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

    def cancel(self) -> None:
        """See `Rows.cancel`."""
        self._reader.cancel()

    def close(self) -> None:
        """See `Rows.close`."""
        if not self._is_over:
            self._is_over = True
            self._reader.cancel()
