"""Reading files that people or earlier processes wrote, whatever they turn out to be.

A path may name a folder, a pipe, a device without end, a link to itself, or bytes that are no text. Each
gives one sentence.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from appliance.errors import ConfigError

MOST_BYTES = 4_000_000
_MOST_LEVELS = 32


class UnreadableFile(ConfigError):
    """A file cannot be read, or its content is not what it should be."""

    code_default = "file.unreadable"


class MissingFile(UnreadableFile):
    """There is no such file."""

    code_default = "file.missing"


def read_bytes(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """Return the content of a regular file.

    Raises:
        MissingFile: there is none.
        UnreadableFile: it is something else, larger than `most_bytes`, or must not be read.
    """
    try:
        with open(path, "rb", opener=_open) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UnreadableFile(f"{path} is not a regular file", hint="name a file")
            content = file.read(most_bytes + 1)
    except FileNotFoundError as error:
        raise MissingFile(f"{path} does not exist", hint="check the path") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableFile(
            f"{path} cannot be read: {reason}", hint="check the path and its mode"
        ) from error
    if len(content) > most_bytes:
        raise UnreadableFile(
            f"{path} is larger than {most_bytes:,} bytes", hint="check that it is the right file"
        )
    return content


def _open(path: str, flags: int) -> int:
    # Opening a pipe that nobody writes to must not wait.
    return os.open(path, flags | os.O_NONBLOCK)


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file without its byte order mark; raises like `read_bytes`."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            f"{path} is not UTF-8: byte {error.start + 1} is 0x{error.object[error.start]:02x}",
            hint=f"save {path} as UTF-8 and try again",
        ) from error


def read_toml(path: Path) -> dict[str, Any]:
    """Return the document of a TOML file; raises like `read_bytes`, also when it is not TOML."""
    return parse_toml(read_text(path), str(path))


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """Return a TOML document; `name` says whose text it is.

    Raises:
        UnreadableFile: it is not TOML, or tables or arrays are nested too deeply.
    """
    import tomllib  # not with this module, which every command loads

    hint = f"correct {name} and try again"
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UnreadableFile(f"{name} is not valid TOML: {error}", hint=hint) from error
    except RecursionError:
        document = None
    except ValueError as error:  # a number of thousands of digits
        raise UnreadableFile(f"{name} is not valid TOML: {error}", hint=hint) from error
    if document is None or _is_deep(document):
        raise UnreadableFile(f"{name} is nested deeper than {_MOST_LEVELS} levels", hint=hint)
    return document


def read_json(path: Path) -> Any:
    """Return the document of a JSON file; raises like `read_bytes`, also when it is not JSON."""
    try:
        return parse_json(read_text(path))
    except ValueError as error:
        raise UnreadableFile(
            f"{path} is not JSON: {error}", hint=f"correct or remove {path}"
        ) from error


def parse_json(text: str | bytes) -> Any:
    """Return a JSON document.

    Raises:
        ValueError: it is not JSON (NaN and Infinity are not), or nested too deeply.
    """
    import json

    try:
        document = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        document = None
        is_deep = True
    else:
        is_deep = _is_deep(document)
    if is_deep:
        raise ValueError(f"nested deeper than {_MOST_LEVELS} levels")
    return document


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _is_deep(document: object) -> bool:
    """Whether a document has more than 32 levels; loops, since dotted keys nest without brackets."""
    level: list[object] = [document]
    for _ in range(_MOST_LEVELS):
        level = [
            item
            for value in level
            if isinstance(value, dict | list)
            for item in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return False
    return True
