"""The final truth of a market, for tests that compare: never touched by faults, quirks or limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pyarrow as pa

from appliance.simulator.book import Book
from appliance.simulator.columns import Columns
from appliance.simulator.windows import step_ms

SCHEMA = pa.schema(
    [
        ("candle_date_time_utc", pa.timestamp("ms", tz="UTC")),
        *((name, pa.float64()) for name in ("open", "high", "low", "close", "volume", "value")),
        ("timestamp", pa.int64()),
    ]
)
"""Columns of the truth; an interval without a row had no trade."""


async def truth(
    book: Book, unit: int, start: int, end: int, now: int
) -> AsyncIterator[pa.RecordBatch]:
    """Yield the candles that open in [start, end) and have closed by `now`, ascending.

    Times are milliseconds since 1970; `unit` is one of minutes up to a day, or `SECOND`.
    """
    step = step_ms(unit)
    for candles in book.closed_between(unit, -(-start // step), -(-end // step), now):
        if len(candles):
            yield as_batch(candles, unit)
        await asyncio.sleep(0)


def as_batch(candles: Columns, unit: int) -> pa.RecordBatch:
    """Return candles in the form of `SCHEMA`."""
    opens = pa.array(candles.opens * step_ms(unit)).cast(SCHEMA.field(0).type)
    return pa.record_batch([opens, *candles.arrays()[1:]], schema=SCHEMA)
