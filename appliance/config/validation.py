"""Validation of values from TOML and from variables: strict about types, and every error at once."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from appliance.config.forms import nearest, shown
from appliance.config.problem import Key, Problem
from appliance.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)
_MOST_PROBLEMS = 200
_DEPENDENT = "default_factory_not_called"  # a default that follows from a wrong value


class InvalidValues(ConfigError):
    """Values that are not allowed; `problems` has all of them, the message the first."""

    code_default = "config.invalid_value"

    def __init__(self, problems: Sequence[Problem], **fields: object) -> None:
        first, more = problems[0], len(problems) - 1
        others = f"; `appliance config check` lists {more} more" if more else ""
        super().__init__(str(first), code=first.code, hint=f"{first.hint}{others}", **fields)
        self.problems = tuple(problems)

    def located(self, below: Key, place: Callable[[Key], str]) -> InvalidValues:
        """Return the error with the problems' keys below another key, each with its place."""
        problems = [
            replace(problem, key=(*below, *problem.key), place=place((*below, *problem.key)))
            for problem in self.problems
        ]
        return InvalidValues(problems, **self.fields)


def validated(model: type[Model], values: Mapping[str, Any], noun: str = "") -> Model:
    """Return a model of values as TOML gives them: no text for a number, no 1.0 or true for 1.

    `noun` stands before each key in messages.

    Raises:
        InvalidValues: unknown keys and values that are not allowed.
    """
    # JSON keeps lists and times apart from texts and numbers; a strict Python validation takes no list
    # for a tuple.
    text = json.dumps(values, default=str)
    try:
        return model.model_validate_json(text, strict=True)
    except ValidationError as error:
        problems = [
            detail for detail in error.errors(include_url=False) if detail["type"] != _DEPENDENT
        ]
        raise InvalidValues(
            [_problem(model, detail, noun) for detail in problems[:_MOST_PROBLEMS]]
        ) from error


def _problem(model: type[BaseModel], detail: ErrorDetails, noun: str) -> Problem:
    context = detail.get("ctx", {})
    key = tuple(str(part) for part in context.get("key", detail["loc"]))
    dotted = ".".join(key) or "it"
    name = f"{noun}{dotted}" if key else noun.strip() or "the configuration"
    if detail["type"] == "extra_forbidden":
        hint = nearest(key[-1], _known_keys(model, key[:-1]))
        return Problem(key, f"unknown {noun or 'key '}{dotted!r}", hint, "config.unknown_key")
    if detail["type"] == "missing":
        return Problem(key, f"{name} is missing", f"give {dotted} a value")
    if detail["type"] == "value_error":  # a rule between several keys, in its own words
        return Problem(key, f"{name}: {context['error']}", f"correct {dotted}")
    was = f", was {shown(detail['input'])}" if "key" not in context else ""
    message = detail["msg"].replace("Input should", "must")
    return Problem(key, f"{name} {message}{was}", f"correct {dotted}")


def _known_keys(model: type[BaseModel], section: Key) -> list[str]:
    """Return the keys of a section; a part that is no field is a name in a dictionary of sections."""
    inner: Any = model
    for part in section:
        field = inner.model_fields.get(part) if inner is not None else None
        if field is not None:
            inner = next(_models(field.annotation), None)
    return [] if inner is None else sorted(inner.model_fields)


def _models(annotation: Any) -> Iterator[Any]:
    """Yield the models within a field's type: itself, or those of a dictionary's values."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (dict, Mapping, Union, types.UnionType):
        for argument in get_args(annotation):
            yield from _models(argument)
