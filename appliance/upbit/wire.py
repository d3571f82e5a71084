"""Replies of the quotation API, turned into domain types.

A reply counts only when its body is what the endpoint promises: an HTML page or an `error` object is
a failure even with status 200. The error's `name` may be an integer or a string.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from appliance.domain.candle import RawCandle
from appliance.errors import ExchangeCode, ExchangeUnavailable

_TEXT_FIELDS = ("market", "candle_date_time_utc", "candle_date_time_kst")
_PRICE_FIELDS = (
    "opening_price",
    "high_price",
    "low_price",
    "trade_price",
    "candle_acc_trade_price",
    "candle_acc_trade_volume",
)
_INTEGER_FIELDS = ("timestamp", "unit")
_LOOKED_AT, _EXCERPT = 2000, 60
_MARKUP = re.compile(r"<(script|style).*?</\1>|<[^>]*>?", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What an error reply says; both empty when the body is not an Upbit error."""

    name: str = ""
    message: str = ""


def parse_candles(body: bytes) -> list[RawCandle]:
    """Return the minute candles of a reply in the order sent (newest first).

    Raises:
        ExchangeUnavailable: the body is anything but an array of complete candles.
    """
    return [_candle(row) for row in _rows(body)]


def parse_markets(body: bytes) -> list[str]:
    """Return the market codes of a `/v1/market/all` reply.

    Raises:
        ExchangeUnavailable: the body is anything but an array of markets.
    """
    codes = [row.get("market") for row in _rows(body)]
    if not all(isinstance(code, str) for code in codes):
        raise _nonsense("a market without a code", body)
    return [str(code) for code in codes]


def parse_error(body: bytes) -> ErrorBody:
    """Return the error that a reply describes, whatever the type of its `name`."""
    try:
        document = json.loads(body)
    except ValueError:
        return ErrorBody()
    error = document.get("error") if isinstance(document, Mapping) else None
    if not isinstance(error, Mapping):
        return ErrorBody()
    return ErrorBody(name=str(error.get("name", "")), message=str(error.get("message", "")))


def _rows(body: bytes) -> Sequence[Mapping[str, Any]]:
    try:
        document = json.loads(body)
    except ValueError as error:
        what = "a web page instead of candles" if _is_page(body) else "no JSON"
        raise _nonsense(what, body) from error
    if isinstance(document, Mapping) and "error" in document:
        raise _nonsense(f"an error: {parse_error(body).message or document['error']}", body)
    if not isinstance(document, list) or not all(isinstance(row, Mapping) for row in document):
        raise _nonsense("no array of objects", body)
    return document


def _candle(row: Mapping[str, Any]) -> RawCandle:
    for field in _TEXT_FIELDS:
        if not isinstance(row.get(field), str):
            raise _bad_field(field, row)
    for field in _PRICE_FIELDS:
        value = row.get(field)
        if (
            not isinstance(value, int | float)
            or isinstance(value, bool)
            or not math.isfinite(value)
        ):
            raise _bad_field(field, row)
    for field in _INTEGER_FIELDS:
        if not isinstance(row.get(field), int) or isinstance(row.get(field), bool):
            raise _bad_field(field, row)
    raw = RawCandle(
        market=row["market"],
        candle_date_time_utc=row["candle_date_time_utc"],
        candle_date_time_kst=row["candle_date_time_kst"],
        opening_price=float(row["opening_price"]),
        high_price=float(row["high_price"]),
        low_price=float(row["low_price"]),
        trade_price=float(row["trade_price"]),
        timestamp=row["timestamp"],
        candle_acc_trade_price=float(row["candle_acc_trade_price"]),
        candle_acc_trade_volume=float(row["candle_acc_trade_volume"]),
        unit=row["unit"],
    )
    if reason := _impossible(raw):
        raise ExchangeUnavailable(
            f"the market server sent a candle of {raw.market} at {raw.candle_date_time_utc} that cannot be:"
            f" {reason}",
            code=ExchangeCode.NONSENSE,
            hint="nothing of that reply is stored; it is asked again by itself",
        )
    return raw


def _impossible(raw: RawCandle) -> str:
    try:
        return raw.typed().why_impossible
    except ValueError:
        return f"it opens at {raw.candle_date_time_utc!r}"


def _bad_field(field: str, row: Mapping[str, Any]) -> ExchangeUnavailable:
    return ExchangeUnavailable(
        f"the market server sent a candle whose {field} is {row.get(field)!r}",
        code=ExchangeCode.NONSENSE,
        hint="it is asked again by itself; if it stays, check source.rest_url",
    )


def _is_page(body: bytes) -> bool:
    return body.lstrip()[:1] == b"<"


def _nonsense(what: str, body: bytes) -> ExchangeUnavailable:
    text = body[:_LOOKED_AT].decode("utf-8", "replace")
    words = _MARKUP.sub(" ", text) if _is_page(body) else text
    excerpt = " ".join(words.split())[:_EXCERPT]
    return ExchangeUnavailable(
        f"the market server answered with {what} ({excerpt!r})",
        code=ExchangeCode.NONSENSE,
        hint="it is asked again by itself; if it stays, check source.rest_url",
    )
