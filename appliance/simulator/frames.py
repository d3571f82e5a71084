"""Candle messages of the stream, and the quirks of their order and number."""

from __future__ import annotations

from appliance.simulator.book import Book
from appliance.simulator.columns import Columns
from appliance.simulator.faults import FaultKind, FaultPlan
from appliance.simulator.render import kst_times, times
from appliance.simulator.windows import SECOND

Message = dict[str, object]


def candle_fields(candle: Columns, code: str, unit: int, kind: str) -> Message:
    """Return the message about one candle; `kind` is SNAPSHOT or REALTIME."""
    return {
        "type": "candle.1s" if unit == SECOND else f"candle.{unit}m",
        "code": code,
        "candle_date_time_utc": times(unit, candle.opens)[0].as_py(),
        "candle_date_time_kst": kst_times(unit, candle.opens)[0].as_py(),
        "opening_price": float(candle.open[0]),
        "high_price": float(candle.high[0]),
        "low_price": float(candle.low[0]),
        "trade_price": float(candle.close[0]),
        "candle_acc_trade_volume": float(candle.volume[0]),
        "candle_acc_trade_price": float(candle.value[0]),
        "timestamp": int(candle.stamp[0]),
        "stream_type": kind,
    }


class FrameQuirks:
    """What a plan makes of one connection's messages."""

    def __init__(self, plan: FaultPlan) -> None:
        self._plan = plan
        self._last: dict[tuple[int, str], Message] = {}
        self._held: dict[tuple[int, str], list[Message]] = {}

    def changed(self, messages: list[Message], book: Book, unit: int, now: int) -> list[Message]:
        """Return the messages about one market as they are sent at `now`, ms since 1970."""
        key = (unit, book.market.code)
        messages = self._reordered(key, messages, now)
        repeated = self._repeated(key, book, unit, now)
        if messages:
            self._last[key] = messages[-1]
        return repeated + messages

    def _reordered(self, key: tuple[int, str], messages: list[Message], now: int) -> list[Message]:
        """Hold messages back until newer ones exist, and send those first."""
        held = self._held.pop(key, [])
        is_active = self._plan.is_active(FaultKind.UNORDERED, now)
        if held and messages:
            self._plan.note(FaultKind.UNORDERED)
            return messages + held
        if is_active and messages and key in self._last:
            self._held[key] = messages
            return []
        if held and is_active:
            self._held[key] = held
            return []
        return messages + held

    def _repeated(self, key: tuple[int, str], book: Book, unit: int, now: int) -> list[Message]:
        """Return the last message and the closed candle before it once more."""
        if key not in self._last or not self._plan.is_active(FaultKind.REPEATED, now):
            return []
        self._plan.note(FaultKind.REPEATED)
        closed = next((part for part in book.closed_parts(unit, now) if len(part)), None)
        older = [] if closed is None else [closed.rows(slice(-1, None))]
        again = [candle_fields(candle, key[1], unit, "REALTIME") for candle in older]
        return [*again, self._last[key]]
