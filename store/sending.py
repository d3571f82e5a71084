"""One read's rows on their way from the service to a client."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import pyarrow as pa
from pyarrow import flight

from appliance import clock
from appliance.errors import StoreError, StoreUnavailable
from store.reading import DatabaseRows
from store.rows_in_flight import PIECE_BYTES, Budget, Share, pieces
from store.wire import encode_error

SLOW_SECONDS = 30.0
"""A client that takes nothing for so long loses the rest, and with it the snapshot kept for it."""


def told(error: StoreError) -> flight.FlightServerError:
    """Return the error in the form that travels to a client."""
    return flight.FlightServerError(error.code, encode_error(error))


class Sending:
    """An iterator of pieces; gRPC asks for the next when the client has room for it.

    Whoever drops the last reference to it, as gRPC does when the client is gone, ends the query.
    """

    def __init__(self, rows: DatabaseRows, budget: Budget) -> None:
        """Take over a query that has begun."""
        self._rows = rows
        self._share = Share(budget)
        self._pieces: Iterator[pa.RecordBatch] = iter(())
        self._lock = threading.Lock()
        self._waits_since: float | None = None
        self._is_dropped = False

    def stream(self, keep: Callable[[Sending], None]) -> Any:
        """Return Flight's stream; `keep` is called unless the rows are all made already."""
        schema, first = self._rows.schema, next(self._rows, None)
        if first is None or (self._rows.is_over and first.nbytes <= PIECE_BYTES):
            head = [] if first is None else [first]
            return flight.RecordBatchStream(pa.Table.from_batches(head, schema))
        self._pieces = _cut(chain([first], self._rows), self._share)
        self._waits_since = clock.monotonic()
        keep(self)
        return flight.GeneratorStream(schema, self)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Return itself."""
        return self

    def __next__(self) -> pa.RecordBatch:
        """Return the next piece.

        Raises:
            FlightServerError: the query failed, or the client took too long.
        """
        with self._lock:
            if self._is_dropped:
                raise told(_too_slow())
            self._waits_since = None
            try:
                piece = next(self._pieces)
            except StoreError as error:
                self._end()
                raise told(error) from error
            except StopIteration:
                self._end()
                raise
            self._waits_since = clock.monotonic()
            return piece

    def drop_if_slow(self, now: float) -> None:
        """Give back what is held when the client has taken nothing for too long."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self._waits_since is not None and now - self._waits_since > SLOW_SECONDS:
                self._is_dropped = True
                self._end()
        finally:
            self._lock.release()

    def __del__(self) -> None:
        """End the query."""
        self._end()

    def _end(self) -> None:
        self._waits_since = None
        self._pieces = iter(())
        self._rows.close()
        self._share.give_back()


def _cut(batches: Iterator[pa.RecordBatch], share: Share) -> Iterator[pa.RecordBatch]:
    # A method would tie the object to its own generator, and only the garbage collector would end it.
    for batch in batches:
        share.take(batch.nbytes)
        yield from pieces(batch)
        share.give_back()


def _too_slow() -> StoreError:
    return StoreUnavailable(
        f"the rows were not taken for {SLOW_SECONDS:g} s, so the query was ended",
        code="store.slow_reader",
        hint="read them without a pause, such as into a file",
    )
