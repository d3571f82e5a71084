"""What a WebSocket client asked for, and the formats in which it wants it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from appliance.config.reading import parse_json
from appliance.domain.candle import TIMEFRAMES
from appliance.simulator.windows import SECOND

FORMATS = ("DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST")
TICKER_UNIT = 0
"""Stands for the type `ticker`."""
_TYPES = {"ticker": TICKER_UNIT} | {f"candle.{unit}m": unit for unit in TIMEFRAMES}
_TYPES["candle.1s"] = SECOND
_SILENT_TYPES = ("trade", "orderbook")

SIMPLE_KEYS = {
    "type": "ty",
    "code": "cd",
    "candle_date_time_utc": "cdttmu",
    "candle_date_time_kst": "cdttmk",
    "opening_price": "op",
    "high_price": "hp",
    "low_price": "lp",
    "trade_price": "tp",
    "candle_acc_trade_volume": "catv",
    "candle_acc_trade_price": "catp",
    "timestamp": "tms",
    "stream_type": "st",
    "prev_closing_price": "pcp",
    "acc_trade_price": "atp",
    "change": "c",
    "change_price": "cp",
    "signed_change_price": "scp",
    "change_rate": "cr",
    "signed_change_rate": "scr",
    "ask_bid": "ab",
    "trade_volume": "tv",
    "acc_trade_volume": "atv",
    "trade_date": "tdt",
    "trade_time": "ttm",
    "trade_timestamp": "ttms",
    "acc_ask_volume": "aav",
    "acc_bid_volume": "abv",
    "highest_52_week_price": "h52wp",
    "highest_52_week_date": "h52wdt",
    "lowest_52_week_price": "l52wp",
    "lowest_52_week_date": "l52wdt",
    "market_state": "ms",
    "is_trading_suspended": "its",
    "delisting_date": "dd",
    "market_warning": "mw",
    "acc_trade_price_24h": "atp24h",
    "acc_trade_volume_24h": "atv24h",
}


class SubscriptionError(Exception):
    """A subscription that gets an error message, after which the server closes."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name
        self.message = message


@dataclass(frozen=True, slots=True)
class Topic:
    """One type with its codes; `unit` is the candle's width in minutes, `SECOND` or `TICKER_UNIT`."""

    unit: int
    codes: tuple[str, ...]
    has_snapshot: bool
    has_realtime: bool


@dataclass(frozen=True, slots=True)
class Subscription:
    """Everything one subscribe message asks for; it replaces the one before."""

    topics: tuple[Topic, ...]
    format: str

    def encode(self, messages: list[dict[str, object]]) -> list[bytes]:
        """Return the frames of some messages."""
        if self.format.startswith("SIMPLE"):
            messages = [
                {SIMPLE_KEYS.get(key, key): value for key, value in message.items()}
                for message in messages
            ]
        if self.format.endswith("LIST"):
            return [b"[%s]" % _encode(message) for message in messages]
        return [_encode(message) for message in messages]


def parse_subscription(frame: str | bytes) -> Subscription:
    """Return what a subscribe message asks for.

    Raises:
        SubscriptionError: with Upbit's name for the mistake.
    """
    try:
        parts = parse_json(frame)
    except ValueError:
        raise SubscriptionError("WRONG_FORMAT", "Format이 맞지 않습니다.") from None
    if not isinstance(parts, list) or not all(isinstance(part, Mapping) for part in parts):
        raise SubscriptionError("WRONG_FORMAT", "Format이 맞지 않습니다.")
    if not any(part.get("ticket") for part in parts):
        raise SubscriptionError("NO_TICKET", "티켓이 존재하지 않습니다.")
    topics = [_topic(part) for part in parts if "type" in part]
    if not topics:
        raise SubscriptionError("NO_TYPE", "타입이 존재하지 않습니다.")
    wanted = next((str(part["format"]) for part in parts if "format" in part), "DEFAULT").upper()
    if wanted not in FORMATS:
        raise SubscriptionError("INVALID_PARAM", "format 값이 올바르지 않습니다.")
    return Subscription(tuple(topic for topic in topics if topic is not None), wanted)


def _topic(part: Mapping[str, Any]) -> Topic | None:
    kind = part["type"]
    if not isinstance(kind, str) or (kind not in _TYPES and kind not in _SILENT_TYPES):
        raise SubscriptionError("INVALID_PARAM", "type 값이 올바르지 않습니다.")
    codes = part.get("codes")
    if not codes:
        raise SubscriptionError("NO_CODES", "코드가 존재하지 않습니다.")
    if not isinstance(codes, list):
        raise SubscriptionError("WRONG_FORMAT", "Format이 맞지 않습니다.")
    if kind in _SILENT_TYPES:
        return None
    only_snapshot = bool(part.get("is_only_snapshot", part.get("isOnlySnapshot", False)))
    only_realtime = bool(part.get("is_only_realtime", part.get("isOnlyRealtime", False)))
    return Topic(
        unit=_TYPES[kind],
        codes=tuple(dict.fromkeys(str(code) for code in codes)),
        has_snapshot=not only_realtime,
        has_realtime=not only_snapshot,
    )


def _encode(message: Mapping[str, object]) -> bytes:
    return f"{{{','.join(f'{json.dumps(key)}:{_value(value)}' for key, value in message.items())}}}".encode()


def _value(value: object) -> str:
    return java_double(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def java_double(number: float) -> str:
    """Return a number as Java's `Double.toString` does: 1.16539E8 from 10,000,000 on and below 0.001."""
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        return repr(number)
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    first, rest = digits[0], "".join(map(str, digits[1:])) or "0"
    return f"{'-' * sign}{first}.{rest}E{int(exponent) + len(digits) - 1}"
