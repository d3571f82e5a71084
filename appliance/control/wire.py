"""The control API on the wire, the server's half: JSON of every result and error, arguments checked.

Operations are the methods of the `Control` protocol. Their names, arguments and results are read from
its type hints, so that server and client cannot disagree about them.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Final, get_type_hints

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    create_model,
)

from appliance import errors
from appliance.config.forms import END_AT, FIRST_AT, has_control_characters
from appliance.control.api import Control, StreamMessage
from appliance.domain.event_filter import EventFilter
from appliance.domain.log import NEWEST, LogQuery
from appliance.domain.origin import Origin
from appliance.errors import ApplianceError, ConfigError, TerminalError, TransientError

API_PREFIX: Final = "/v1/"
STREAM: Final = "stream"
READS: Final = frozenset(
    {
        "status",
        "candles",
        "candles_until",
        "coverage",
        "coverage_strip",
        "forecasts",
        "events",
        "find_events",
        "next_events",
        "count_events",
        "models",
        "monitoring",
        "charts",
        "chart",
        "verdicts",
        "compare",
        "dag_runs",
        "dag_run",
        "task_log",
        "task_log_page",
        "service_log",
        "service_log_page",
    }
)
"""Operations that change nothing: GET with query parameters; all others are POST with JSON."""
ACTIONS: Final = frozenset(
    {
        "run_workflow",
        "unpause",
        "enable_project",
        "promote",
        "roll_back",
        "reject",
        "restart_service",
        "start_history",
        "cancel_history",
        "test_alert",
        "shut_down",
    }
)


_MOST_CHARACTERS = 512


def _plain_text(text: str) -> str:
    if has_control_characters(text):
        raise ValueError("text without control characters is expected")
    return text


def _plain_origin(origin: Origin) -> Origin:
    for field in fields(origin):
        value = getattr(origin, field.name)
        if isinstance(value, str) and (
            len(value) > _MOST_CHARACTERS or has_control_characters(value)
        ):
            raise ValueError(f"{field.name}: a short text without control characters is expected")
    return origin


def _plausible(at: datetime | None) -> datetime | None:
    if at is not None and not FIRST_AT <= at < END_AT:
        raise ValueError("a time from 2010 to 2099 is expected")
    return at


def _from_json(value: object) -> object:
    return json.loads(value) if isinstance(value, str) else value


def _bounded(query: LogQuery) -> LogQuery:
    if query.at < NEWEST or not 1 <= query.lines <= _MOST_LINES or not 0 <= query.context <= 100:
        raise ValueError(f"a position of the log and 1 to {_MOST_LINES} lines are expected")
    _plain_text(query.needle)
    return query


def _plain_filter(wanted: EventFilter) -> EventFilter:
    for texts in (wanted.actors, wanted.without_actors, wanted.texts, wanted.without_texts):
        if len(texts) > _MOST_TERMS:
            raise ValueError(f"{_MOST_TERMS} terms at most are expected")
        for text in (*texts, wanted.project):
            _plain_text(text)
    return wanted


_MOST_TERMS = 50
_MOST_LINES = 10_000
_Word = Annotated[str, Field(max_length=_MOST_CHARACTERS), AfterValidator(_plain_text)]
_Name = Annotated[_Word, Field(min_length=1)]
_Amount = Annotated[int, Field(ge=1, le=1_000_000)]
_Number = Annotated[int, Field(ge=0, lt=2**63)]
_Instant = Annotated[AwareDatetime | None, AfterValidator(_plausible)]
_LIMITS: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("market", "project", "run_id", "task_id", "name", "key"), _Name),
    **dict.fromkeys(("count", "limit", "lines"), _Amount),
    **dict.fromkeys(("after_id", "before_id", "job"), _Number),
    **dict.fromkeys(("start_at", "end_at"), _Instant),
    "origin": Annotated[Origin, AfterValidator(_plain_origin)],
    "request": _Word,
    "wanted": Annotated[EventFilter, BeforeValidator(_from_json), AfterValidator(_plain_filter)],
    "query": Annotated[LogQuery, BeforeValidator(_from_json), AfterValidator(_bounded)],
    "params": Annotated[dict[_Name, _Word], Field(max_length=100)],
    "unit": Annotated[int, Field(ge=1, le=1440)],
    "version": Annotated[int, Field(ge=1, lt=2**31)],
    **dict.fromkeys(("first", "second"), Annotated[int, Field(ge=1, lt=2**31)]),
    **dict.fromkeys(("seen", "champion"), Annotated[int, Field(ge=0, lt=2**31)]),
    "hours": Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)],
    "points": Annotated[int, Field(ge=1, le=2_000)],
    "cells": Annotated[int, Field(ge=1, le=10_000)],
}
"""What arguments may be, by name, where that is narrower than their type."""

_PLAIN = ConfigDict(ser_json_inf_nan="constants")


def encode_result(operation: str, result: object) -> bytes:
    """Return an operation's result as JSON."""
    return _dump(_result_adapter(operation), result)


def encode_message(message: StreamMessage) -> bytes:
    """Return a stream message as one line of JSON."""
    return _dump(_message_adapter(), message)


def decode_arguments(operation: str, raw: bytes | Mapping[str, str]) -> dict[str, Any]:
    """Return the keyword arguments of an operation from a JSON body or from query parameters.

    Raises:
        ConfigError: one is missing, unknown or of the wrong type.
    """
    model = _arguments_model(operation)
    try:
        if isinstance(raw, bytes):
            parsed = model.model_validate_json(raw or b"{}")
        else:
            parsed = model.model_validate(dict(raw))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{operation}: {where}: {first['msg']}", code="control.arguments"
        ) from error
    return {name: getattr(parsed, name) for name in model.model_fields}


def argument_names(operation: str) -> tuple[str, ...]:
    """Return the names of an operation's arguments."""
    return tuple(_arguments_model(operation).model_fields)


def encode_error(error: ApplianceError) -> bytes:
    """Return an error as JSON."""
    body = {
        "class": type(error).__name__,
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "fields": error.fields,
    }
    return json.dumps(body, default=str).encode()


def http_status(error: ApplianceError) -> int:
    """Return the HTTP status that goes with an error."""
    if isinstance(error, TransientError):
        return 503
    if isinstance(error, errors.ModelNotFound) or error.code == "service.unknown":
        return 404
    refused = error.fields.get("status") if isinstance(error, errors.AirflowApiError) else None
    if refused in {400, 404, 409, 422}:  # Airflow refused what we were asked for
        return int(refused)
    return 400 if isinstance(error, TerminalError) else 500


def _dump(adapter: TypeAdapter[Any], value: object) -> bytes:
    return adapter.dump_json((value,))[1:-1]


@cache
def _result_adapter(operation: str) -> TypeAdapter[Any]:
    returned = get_type_hints(getattr(Control, operation))["return"]
    return _adapter(returned)


@cache
def _message_adapter() -> TypeAdapter[Any]:
    return _adapter(StreamMessage)


def _adapter(kind: Any) -> TypeAdapter[Any]:
    # A dataclass takes no configuration of its own; a tuple around it does, and NaN survives.
    return TypeAdapter(tuple[kind], config=_PLAIN)


@cache
def _arguments_model(operation: str) -> type[BaseModel]:
    method = getattr(Control, operation)
    hints = get_type_hints(method)
    fields: dict[str, Any] = {
        name: (
            _LIMITS.get(name, hints[name]),
            ... if parameter.default is parameter.empty else parameter.default,
        )
        for name, parameter in inspect.signature(method).parameters.items()
        if name != "self"
    }
    model: type[BaseModel] = create_model(
        operation, __config__=ConfigDict(extra="forbid"), **fields
    )
    return model
