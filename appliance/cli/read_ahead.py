"""Rows of a query, taken in the background: Ctrl-C is heard, and a pager's pause does not hold the store."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from appliance.cli.output import narrate

if TYPE_CHECKING:
    import pyarrow as pa

    from store import Session
    from store.session import Rows

AHEAD_BYTES = 32 * 1024 * 1024
"""Rows that were read and not yet printed."""

_SILENT_SECONDS = 5.0
_END_SECONDS = 2.0


class ReadAhead:
    """The batches of one query; a context, which ends the query on leaving."""

    def __init__(self, store: Session, begin: Callable[[Session], Rows]) -> None:
        self._store = store
        self._begin = begin
        self._arrived: queue.SimpleQueue[pa.Schema | pa.RecordBatch | BaseException | None] = (
            queue.SimpleQueue()
        )
        self._room = threading.Condition()
        self._held = 0
        self._is_over = False
        self._thread = threading.Thread(target=self._work, name="rows", daemon=True)

    def __enter__(self) -> ReadAhead:
        """Begin the query."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the query, whatever it is doing."""
        with self._room:
            self._is_over = True
            self._room.notify_all()
        if self._thread.is_alive():
            self._store.cancel()
            self._thread.join(_END_SECONDS)

    def schema(self) -> pa.Schema:
        """Wait for the columns and return them; to be called first, once."""
        return self._next()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Iterate over the batches as they come."""
        while (batch := self._next()) is not None:
            yield batch
            with self._room:
                self._held -= batch.nbytes
                self._room.notify_all()

    def _next(self) -> pa.Schema | pa.RecordBatch | None:
        try:
            item = self._arrived.get(timeout=_SILENT_SECONDS)
        except queue.Empty:
            narrate("waiting for the store's rows; Ctrl-C ends the query")
            item = self._arrived.get()
        if isinstance(item, BaseException):
            raise item
        return item

    def _work(self) -> None:
        try:
            with self._begin(self._store) as rows:
                self._arrived.put(rows.schema)
                for batch in rows:
                    if not self._has_room():
                        return
                    self._held += batch.nbytes
                    self._arrived.put(batch)
            self._arrived.put(None)
        except BaseException as error:
            self._arrived.put(error)

    def _has_room(self) -> bool:
        with self._room:
            self._room.wait_for(lambda: self._is_over or self._held < AHEAD_BYTES)
            return not self._is_over
