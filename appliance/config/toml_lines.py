"""On which line of a TOML text a key is set; `tomllib` does not tell."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

_LONGEST_STATEMENT = 300
"""Lines of one statement, such as a list over many lines, that are tried."""


def line_of(text: str, key: tuple[str, ...]) -> int | None:
    """Return the line (from 1) that sets a key of a valid TOML text, or the longest part of the key.

    None when not even its first part is set.
    """
    best, depth = None, 0
    for number, path in _statements(text):
        length = min(len(path), len(key))
        if length > depth and path[:length] == key[:length]:
            best, depth = number, length
    return best


@lru_cache(maxsize=8)
def _statements(text: str) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """Return (line, keys) of each table head and each assignment."""
    lines = text.replace("\r\n", "\n").split("\n")
    found: list[tuple[int, tuple[str, ...]]] = []
    table: tuple[str, ...] = ()
    at = 0
    while at < len(lines):
        statement = _statement(lines, at)
        if statement is None:
            break
        end, document = statement
        if lines[at].lstrip().startswith("["):
            table = next(_paths(document), ())
            found.append((at + 1, table))
        else:
            found += [(at + 1, table + path) for path in _paths(document)]
        at = end
    return tuple(found)


def _statement(lines: list[str], at: int) -> tuple[int, dict[str, Any]] | None:
    """Return the line after the statement that begins at a line, and what it says.

    A statement is valid TOML by itself, so lines are joined until they are. None when it is too long.
    """
    for end in range(at + 1, min(len(lines), at + _LONGEST_STATEMENT) + 1):
        try:
            return end, tomllib.loads("\n".join(lines[at:end]))
        except (tomllib.TOMLDecodeError, ValueError, RecursionError):
            continue
    return None


def _paths(document: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the keys that a statement sets, inline tables included."""
    for name, value in document.items():
        inner = value[-1] if isinstance(value, list) and value else value
        if isinstance(inner, dict) and inner:
            yield from _paths(inner, (*above, name))
        else:
            yield (*above, name)
