"""A batch on its way to the service: taken piece by piece, and known to be whole or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from appliance.errors import StoreError


class ArrivingBatch:
    """What a `Database` needs of a table, without its rows being in memory together."""

    def __init__(self, reader: Any, rows: int) -> None:
        """Take a Flight reader and the number of rows that it is to bring."""
        self._reader = reader
        self._expected = rows
        self._rows = 0
        self.nbytes = 0
        """Bytes that have arrived."""

    def to_reader(self) -> pa.RecordBatchReader:
        """Return the rows as they arrive, once."""
        return pa.RecordBatchReader.from_batches(self._reader.schema, self._batches())

    def refuse_part(self) -> None:
        """Raise unless all rows have arrived; a stream that was cut short looks finished.

        Raises:
            StoreError: (`store.incomplete_batch`) fewer or more came.
        """
        if self._rows != self._expected:
            raise StoreError(
                f"the batch was cut short: {self._rows} of {self._expected} rows arrived",
                code="store.incomplete_batch",
                hint="nothing was written; try again",
            )

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for chunk in self._reader:
            self._rows += chunk.data.num_rows
            self.nbytes += chunk.data.nbytes
            yield chunk.data
