"""JSON Schema of what `output.plain` makes of a type, derived from its dataclasses."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from appliance.cli.output import COMPUTED_FIELDS

Inner = Callable[[Any], dict[str, object]]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXT: dict[str, object] = {"type": "string"}
_SIMPLE: dict[Any, dict[str, object]] = {
    str: _TEXT,
    Path: _TEXT,
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": ["number", "null"]},  # one that JSON lacks is null
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    type(None): {"type": "null"},
    object: {},
    Any: {},
}


def json_schema(kind: Any, *, is_closed: bool = False) -> dict[str, object]:
    """Return the schema of a type's JSON; `is_closed` refuses fields that the type does not have.

    Raises:
        TypeError: there is no schema for a type within it.
    """
    definitions: dict[str, dict[str, object]] = {}
    body = _schema(kind, definitions, is_closed=is_closed)
    named = dict(sorted(definitions.items()))
    return {**body, "$defs": named} if named else body


def _schema(
    kind: Any, named: dict[str, dict[str, object]], *, is_closed: bool
) -> dict[str, object]:
    def inner(other: Any) -> dict[str, object]:
        return _schema(other, named, is_closed=is_closed)

    if kind in _SIMPLE:
        return dict(_SIMPLE[kind])
    if get_origin(kind) is not None:
        return _composed(get_origin(kind), get_args(kind), inner)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [member.value for member in kind]}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        if kind.__name__ not in named:
            named[kind.__name__] = {}  # ends a type that holds itself
            named[kind.__name__] = _object(kind, inner, is_closed=is_closed)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    raise TypeError(f"no JSON schema for {kind!r}")


def _composed(origin: Any, arguments: tuple[Any, ...], inner: Inner) -> dict[str, object]:
    if origin in (Union, types.UnionType):
        return _any_of([inner(each) for each in arguments])
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple and arguments[-1:] != (Ellipsis,):
        return {"type": "array", "prefixItems": [inner(each) for each in arguments], "items": False}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": inner(arguments[1])}
    return {"type": "array", "items": inner(arguments[0])}


def _object(kind: type, inner: Inner, *, is_closed: bool) -> dict[str, object]:
    hints = get_type_hints(kind)
    fields = {f.name: inner(hints[f.name]) for f in dataclasses.fields(kind)}
    for name in COMPUTED_FIELDS:
        computed = getattr(kind, name, None)
        if isinstance(computed, property) and computed.fget is not None:
            fields[name] = inner(get_type_hints(computed.fget)["return"])
    summary = (kind.__doc__ or "").partition("\n")[0]
    schema: dict[str, object] = {"type": "object", "description": summary, "properties": fields}
    schema["required"] = list(fields)
    return {**schema, "additionalProperties": False} if is_closed else schema


def _any_of(options: list[dict[str, object]]) -> dict[str, object]:
    if all(set(option) == {"type"} for option in options):
        kinds: list[object] = []
        for option in options:
            kind = option["type"]
            kinds += [
                each for each in (kind if isinstance(kind, list) else [kind]) if each not in kinds
            ]
        return {"type": kinds}
    return {"anyOf": options}
