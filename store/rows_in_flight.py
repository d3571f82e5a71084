"""Rows on their way to a caller: in pieces of bounded size, and with a bound on all of them together."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pyarrow as pa

from appliance.errors import StoreError, StoreUnavailable

PIECE_BYTES = 1024 * 1024
"""Rows travel together up to this size."""

ROW_BYTES = 64 * 1024 * 1024
"""A larger row is refused: it could not be cut."""

TOTAL_BYTES = 128 * 1024 * 1024
"""What all calls together may have on the way."""

_PATIENCE_SECONDS = 10.0


def pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Yield the rows in pieces of at most `PIECE_BYTES`, or of one row.

    Raises:
        StoreError: one row alone has more than `ROW_BYTES`.
    """
    waiting = [batch]
    while waiting:
        part = waiting.pop()
        if part.nbytes <= PIECE_BYTES:
            # A slice keeps all of its batch alive, a copy only itself.
            yield part if part is batch else _copied(part)
        elif part.num_rows > 1:
            half = part.num_rows // 2
            waiting += [part.slice(half), part.slice(0, half)]
        elif part.nbytes > ROW_BYTES:
            raise StoreError(
                f"one row has {part.nbytes / 1e6:,.0f} MB; a row may have {ROW_BYTES / 1e6:,.0f} MB",
                code="store.row_too_large",
                hint="ask for fewer or shorter columns: substring(), list slices, or rows instead of"
                " one aggregated value",
            )
        else:
            yield part


class Budget:
    """A bound on the bytes that all calls together have on the way.

    Bundles of usual size may use all of it, larger ones half: wide rows never stop narrow ones.
    """

    def __init__(self, total: int = TOTAL_BYTES) -> None:
        self._total = total
        self._used = 0
        self._changed = threading.Condition()

    def take(self, nbytes: int) -> int:
        """Wait for room and return what was taken of it; more than there ever is counts as all.

        Raises:
            StoreUnavailable: no room within ten seconds.
        """
        limit = self._total if nbytes <= 2 * PIECE_BYTES else self._total // 2
        size = min(nbytes, limit)
        with self._changed:
            if not self._changed.wait_for(lambda: self._used + size <= limit, _PATIENCE_SECONDS):
                raise StoreUnavailable(
                    "other callers have not yet taken the rows that the store holds for them",
                    code="store.busy",
                    hint="try again, or ask for fewer rows",
                )
            self._used += size
        return size

    def give_back(self, size: int) -> None:
        """Give back what was taken."""
        with self._changed:
            self._used -= size
            self._changed.notify_all()


class Share:
    """What one call has of a budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._size = 0

    def take(self, nbytes: int) -> None:
        """Take bytes; see `Budget.take`."""
        self._size = self._budget.take(nbytes)

    def give_back(self) -> None:
        """Give them back; a second call does nothing."""
        size, self._size = self._size, 0
        self._budget.give_back(size)


def joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    """Return batches as one."""
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


def _copied(part: pa.RecordBatch) -> pa.RecordBatch:
    return pa.concat_batches([part, part.slice(0, 0)])
