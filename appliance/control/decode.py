"""JSON of the control API back into our types, with the standard library alone.

The client's half of `wire`: importing pydantic and building its validators would take a third of the
300 ms that `appliance status` has. Fields that are not known are ignored, missing ones take their
defaults, so that a client and a server of neighbouring versions understand each other.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from appliance import errors
from appliance.control.api import Control, StreamMessage
from appliance.errors import ApplianceError

Decode = Callable[[Any], Any]


def decode_result(operation: str, body: bytes) -> Any:
    """Return an operation's result."""
    return _result_decoder(operation)(json.loads(body))


def decode_value(operation: str, value: Any) -> Any:
    """Return an operation's result, given as parsed JSON."""
    return _result_decoder(operation)(value)


def decode_message(body: bytes) -> StreamMessage:
    """Return a stream message."""
    message: StreamMessage = _decoder(StreamMessage)(json.loads(body))
    return message


def decode_error(body: bytes) -> ApplianceError:
    """Return an error as the subclass that was raised on the server."""
    try:
        wire = json.loads(body)
        kind = getattr(errors, str(wire["class"]), ApplianceError)
        if not (isinstance(kind, type) and issubclass(kind, ApplianceError)):
            kind = ApplianceError
        known = {k: v for k, v in wire["fields"].items() if k not in {"code", "hint", "message"}}
        return kind(wire["message"], code=wire["code"], hint=wire["hint"], **known)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ApplianceError(f"the supervisor answered nonsense: {body[:200]!r}")


@cache
def _result_decoder(operation: str) -> Decode:
    return _decoder(get_type_hints(getattr(Control, operation))["return"])


@cache
def _decoder(kind: Any) -> Decode:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _optional(_decoder(next(part for part in arguments if part is not type(None))))
    if origin in (list, tuple):
        return _sequence(origin, _decoder(arguments[0]))
    if origin in (dict, Mapping):
        return _mapping(_decoder(arguments[1]))
    if is_dataclass(kind):
        return _dataclass(kind)
    if kind is datetime:
        return datetime.fromisoformat
    is_converted = isinstance(kind, type) and (issubclass(kind, Enum) or kind is float)
    return kind if is_converted else _as_it_is


def _optional(decode: Decode) -> Decode:
    return lambda value: None if value is None else decode(value)


def _sequence(make: Callable[[Any], Any], decode: Decode) -> Decode:
    return lambda values: make(decode(value) for value in values)


def _mapping(decode: Decode) -> Decode:
    return lambda values: {key: decode(value) for key, value in values.items()}


def _dataclass(kind: Any) -> Decode:
    @cache  # not before the first use: a type may hold itself
    def decoders() -> list[tuple[str, Decode]]:
        hints = get_type_hints(kind)
        return [(field.name, _decoder(hints[field.name])) for field in fields(kind)]

    return lambda values: kind(
        **{name: decode(values[name]) for name, decode in decoders() if name in values}
    )


def _as_it_is(value: Any) -> Any:
    return value
