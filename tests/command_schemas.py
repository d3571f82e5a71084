"""Checks what commands print with `--json` against the schemas that `appliance schema` prints."""

from __future__ import annotations

from jsonschema import Draft202012Validator, FormatChecker

from appliance.cli.outputs import command_schema


def validate(command: str, value: object) -> None:
    """Check a command's output, or its error, against a schema that lets no unnamed field through."""
    is_error = isinstance(value, dict) and set(value) == {"error"}
    schema = command_schema("error" if is_error else command, is_closed=True)
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(value)
