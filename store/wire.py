"""What travels between the store's client and its service: commands, parameters and errors.

Rows travel as Arrow; everything else is JSON in tickets, descriptors and error details.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from appliance.errors import StoreError, StoreUnavailable
from store.session import Statement

Value = TypeVar("Value")

HEALTH_ACTION = "health"
BACKUP_ACTION = "backup"
PROTOCOL = 2
"""Version of this module's formats. Errors and the key `protocol` itself keep their form for ever, so
that every version can tell every other that it is another one. Version 1 had no such key."""

_INSTANT = "@at"
_MESSAGE_LIMIT = 2000
"""gRPC carries error texts in headers of at most 8 KiB."""


@dataclass(frozen=True, slots=True)
class Command:
    """One call: the schema version the caller knows, its statements, and its batch's row count.

    `rows` is None without a batch. A stream that was cut short looks finished to the receiver, so
    the count is what tells a whole batch from a part of one. `target` is the file of a backup.
    """

    schema: int
    statements: tuple[Statement, ...]
    rows: int | None = None
    target: str = ""


def plain_parameters(parameters: Sequence[object]) -> list[object]:
    """Return parameters as the plain values that both sessions pass to DuckDB.

    Raises:
        StoreError: a value has another type, or an instant has no zone.
    """
    return [_plain(value) for value in parameters]


def encode_command(command: Command) -> bytes:
    """Return the command as JSON."""
    statements = [
        {"sql": each.sql, "parameters": plain_parameters(each.parameters)}
        for each in command.statements
    ]
    document = {
        "protocol": PROTOCOL,
        "schema": command.schema,
        "rows": command.rows,
        "target": command.target,
        "statements": statements,
    }
    return json.dumps(document, default=_encode_instant).encode()


def decode_command(data: bytes) -> Command:
    """Read a command back.

    Raises:
        StoreError: the bytes are not one, or are one of another version's.
    """
    try:
        document = json.loads(data, object_hook=_decode_instant)
        refuse_other_protocol("caller", document.get("protocol", 1))
        statements = tuple(
            Statement(_typed(each["sql"], str), tuple(_typed(each["parameters"], list)))
            for each in _typed(document["statements"], list)
        )
        rows = document["rows"]
        return Command(
            _typed(document["schema"], int),
            statements,
            None if rows is None else _typed(rows, int),
            _typed(document["target"], str),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise no_command(repr(error)) from error


def no_command(reason: str) -> StoreError:
    """Return the error of bytes that are not a command, or not one of this call."""
    return StoreError(
        f"not a command of the store: {reason[:_MESSAGE_LIMIT]}",
        code="store.protocol",
        hint="use the appliance's own client, of the same version as the service",
    )


def _typed(value: Any, kind: type[Value]) -> Value:
    if type(value) is not kind:
        raise TypeError(f"{str(value)[:80]!r} is not of type {kind.__name__}")
    return value


def refuse_other_protocol(who: str, protocol: object) -> None:
    """Raise `StoreError` when the other side, `who` in words, speaks another version than this code."""
    if protocol != PROTOCOL:
        raise StoreError(
            f"the {who} speaks version {protocol} of the store's protocol, this program {PROTOCOL}",
            code="store.protocol_mismatch",
            hint="one of the two was upgraded while the other kept running: appliance restart",
        )


def encode_error(error: StoreError) -> bytes:
    """Return an error's message, code, hint and consequence as JSON."""
    return json.dumps(
        {
            "message": error.message[:_MESSAGE_LIMIT],
            "code": error.code,
            "hint": error.hint,
            "transient": isinstance(error, StoreUnavailable),
        }
    ).encode()


def decode_error(data: bytes) -> StoreError | None:
    """Read an error back; None when the bytes are not one."""
    try:
        document = json.loads(data)
        kind = StoreUnavailable if document["transient"] else StoreError
        return kind(document["message"], code=document["code"], hint=document["hint"])
    except (ValueError, KeyError, TypeError):
        return None


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, datetime):
        return _utc(value)
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    raise StoreError(
        f"a parameter of type {type(value).__name__} cannot be passed to the store",
        code="store.parameter",
        hint="pass None, bool, int, float, str, an aware datetime, or a sequence of these",
    )


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise StoreError(
            f"{value} has no time zone",
            code="store.naive_instant",
            hint="pass an aware UTC datetime",
        )
    return value.astimezone(UTC)


def _encode_instant(value: object) -> dict[str, str]:
    if isinstance(value, datetime):
        return {_INSTANT: value.isoformat()}
    raise TypeError(type(value).__name__)


def _decode_instant(document: dict[str, Any]) -> object:
    if _INSTANT in document:
        return datetime.fromisoformat(document[_INSTANT])
    return document
