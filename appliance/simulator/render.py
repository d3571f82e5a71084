"""Candles as the JSON rows that Upbit sends: numbers with 8 decimals, times without a zone.

Rows are made by columns: one at a time they cost more than everything else in a reply.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from appliance.simulator.columns import Columns, Floats
from appliance.simulator.windows import DAY, SECOND, Integers, step_ms

_KST_MS = 9 * 3_600_000
_SCALE = 100_000_000
_EXACT = 5.0e7  # from here on neighbouring numbers are nearer than 8 decimals tell apart


@dataclass(frozen=True, slots=True)
class Rows:
    """JSON objects, newest first, each followed by a comma.

    `opens` ascends; row i from the end of it begins at `offsets[i]` of `text`.
    """

    opens: Integers
    offsets: Integers
    text: memoryview

    @property
    def bytes(self) -> int:
        """Memory that the rows take."""
        return 200 + len(self.text) + self.opens.nbytes + self.offsets.nbytes

    def newest_before(self, end: int, count: int) -> memoryview:
        """Return up to `count` rows that open before `end`."""
        total = len(self.opens)
        first = total - int(np.searchsorted(self.opens, end))
        last = min(first + count, total)
        return self.text[self.offsets[first] : self.offsets[last]]

    def count_before(self, end: int) -> int:
        """Return how many rows open before `end`."""
        return int(np.searchsorted(self.opens, end))


def render(code: str, unit: int, candles: Columns, close_before: float | None = None) -> Rows:
    """Return the rows of candles that are given in ascending order.

    `close_before` is the last price before the first candle; days tell their change from it.
    """
    if len(candles) == 0:
        return Rows(candles.opens, np.zeros(1, np.int64), memoryview(b""))
    newest_first = candles.mapped(lambda column: column[::-1])
    parts = _common(code, unit, newest_first) + _extra(unit, newest_first, close_before)
    text = pc.binary_join_element_wise(*parts, "")
    _, offsets, data = text.buffers()
    return Rows(
        candles.opens,
        np.frombuffer(offsets, np.int32)[: len(candles) + 1].astype(np.int64),
        memoryview(data).cast("B"),
    )


def decimal(number: float) -> str:
    """Return a number with 8 decimals, or with all it needs when 8 would change it."""
    text = f"{number:.8f}"
    return text if float(text) == number else repr(number)


def times(unit: int, opens: Integers, shift_ms: int = 0) -> pa.Array:
    """Return `YYYY-MM-DDTHH:MM:SS` of opening times."""
    seconds = (opens * step_ms(unit) + shift_ms) // 1000
    text = pc.cast(pc.cast(pa.array(seconds), pa.timestamp("s")), pa.string())
    letters = np.frombuffer(text.buffers()[2], np.uint8)[: 19 * len(opens)].copy()
    letters[10::19] = ord("T")
    return pa.StringArray.from_buffers(len(opens), text.buffers()[1], pa.py_buffer(letters))


def kst_times(unit: int, opens: Integers) -> pa.Array:
    """Return the opening times as `times` does, in Korean time."""
    return times(unit, opens, _KST_MS)


def _common(code: str, unit: int, candles: Columns) -> list[object]:
    return [
        f'{{"market":"{code}","candle_date_time_utc":"', times(unit, candles.opens),
        '","candle_date_time_kst":"', kst_times(unit, candles.opens),
        '","opening_price":', *_decimals(candles.open),
        ',"high_price":', *_decimals(candles.high),
        ',"low_price":', *_decimals(candles.low),
        ',"trade_price":', *_decimals(candles.close),
        ',"timestamp":', _integers(candles.stamp),
        ',"candle_acc_trade_price":', *_decimals(candles.value),
        ',"candle_acc_trade_volume":', *_decimals(candles.volume),
    ]  # fmt: skip


def _extra(unit: int, candles: Columns, close_before: float | None) -> list[object]:
    if unit == SECOND:
        return ["},"]
    if unit < DAY:
        return [f',"unit":{unit}}},']
    if unit > DAY:
        days = pc.utf8_slice_codeunits(times(unit, candles.opens), 0, 10)
        return [',"first_day_of_period":"', days, '"},']
    oldest = float(candles.open[-1]) if close_before is None else close_before
    before = np.r_[candles.close[1:], oldest]
    change = candles.close - before
    rates = [f"{rate:.10f}" for rate in (change / before).tolist()]
    return [
        ',"prev_closing_price":', *_decimals(before),
        ',"change_price":', pa.array([decimal(number) for number in change.tolist()]),
        ',"change_rate":', pa.array(rates), "},",
    ]  # fmt: skip


def _decimals(numbers: Floats) -> tuple[object, ...]:
    """Return the parts of `decimal` of every number, none negative."""
    whole = np.floor(numbers)
    rest = np.rint((numbers - whole) * _SCALE)
    is_carried = rest >= _SCALE
    whole, rest = whole + is_carried, np.where(is_carried, 0.0, rest)
    is_exact = (numbers >= _EXACT) | ((whole * _SCALE + rest) / _SCALE == numbers)
    if not is_exact.all() or numbers.max() >= 1e18:
        return (pa.array([decimal(number) for number in numbers.tolist()]),)
    if not rest.any():
        return _integers(whole.astype(np.int64)), ".00000000"
    padded = _integers(rest.astype(np.int64) + _SCALE)
    digits = np.frombuffer(padded.buffers()[2], np.uint8)[: 9 * len(numbers)].reshape(-1, 9)
    fraction = np.ascontiguousarray(digits[:, 1:])
    offsets = np.arange(0, 8 * len(numbers) + 1, 8, dtype=np.int32)
    buffers = pa.py_buffer(offsets), pa.py_buffer(fraction)
    return (
        _integers(whole.astype(np.int64)),
        ".",
        pa.StringArray.from_buffers(len(numbers), *buffers),
    )


def _integers(numbers: Integers) -> pa.Array:
    return pc.cast(pa.array(numbers), pa.string())
