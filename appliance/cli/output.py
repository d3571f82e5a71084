"""What commands print: data to stdout, narration to stderr."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from enum import Enum

from appliance.errors import ApplianceError
from appliance.terminal import CleanStream, clean, clean_json, clean_line

KST = timezone(timedelta(hours=9), "KST")
"""Korea has no daylight saving time."""


def emit(text: str) -> None:
    """Print a line of data; on a terminal whatever it holds stays on that line."""
    emit_text((clean(text).replace("\n", "\\n") if sys.stdout.isatty() else text) + "\n")


def emit_text(text: str) -> None:
    """Print data that has its own line breaks."""
    sys.stdout.write(text)


def narrate(text: str) -> None:
    """Print a line about what happens, at once."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def narrate_over(text: str) -> None:
    """Put a line about what happens in place of the last such one, on a terminal; print it elsewhere."""
    if isinstance(sys.stderr, CleanStream):
        sys.stderr.rewrite_line(text)
    else:
        narrate(text)


def narrate_error(error: ApplianceError) -> None:
    """Print an error and its next step."""
    narrate(f"error: {error.message}")
    narrate(f"next:  {error.hint or '`appliance doctor` checks machine, home and services'}")


def emit_json(value: object) -> None:
    """Print dataclasses, mappings and sequences as JSON; instants as ISO 8601 in UTC."""
    emit_text(json_text(value, indent=2) + "\n")


def json_text(value: object, *, indent: int | None = None) -> str:
    """Return the JSON of a value: valid, and nothing in it hidden; numbers that JSON lacks are null."""
    return clean_json(json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False))


def plain(value: object) -> object:
    """Turn domain values into what JSON can hold."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        for name in ("is_healthy", "is_ready", "is_champion", "is_equal", "closes_at"):
            if isinstance(getattr(type(value), name, None), property):
                fields[name] = plain(getattr(value, name))
        return fields
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)


def emit_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print aligned columns; numbers to the right."""
    table = TablePrinter(headings, rows)
    for row in rows:
        table.emit(row)


class TablePrinter:
    """Aligned columns, as wide as a table's first rows need; prints the headings at once."""

    def __init__(self, headings: Sequence[str], first: Sequence[Sequence[object]]) -> None:
        names = [_text(heading) for heading in headings]
        cells = [names, *([_cell(value) for value in row] for row in first)]
        self._widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        self._is_number = [
            bool(first) and all(_is_number(row[n]) for row in first) for n in range(len(names))
        ]
        self._emit(names)

    def emit(self, row: Sequence[object]) -> None:
        """Print one row."""
        self._emit([_cell(value) for value in row])

    def _emit(self, cells: Sequence[str]) -> None:
        padded = (
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(cells, self._widths, self._is_number, strict=True)
        )
        emit("  ".join(padded).rstrip())


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return str(value) if value.tzinfo is None else local_time(value)
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, float) and not math.isfinite(value):
        return "-"
    if isinstance(value, float):
        return f"{value:,.8g}" if abs(value) >= 1000 else f"{value:.6g}"
    return _text(str(value))


def _text(text: str) -> str:
    return clean_line(text) if sys.stdout.isatty() else text.replace("\n", "\\n")


def local_time(at: datetime) -> str:
    """Return an instant in Korean time for people to read."""
    return at.astimezone(KST).strftime("%Y-%m-%d %H:%M:%S KST")


def age(at: datetime | None, now: datetime) -> str:
    """Return how long ago, in the largest fitting unit."""
    if at is None:
        return "-"
    seconds = (now - at).total_seconds()
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def counted(number: int | None) -> str:
    """Return a count, "?" when nobody could be asked."""
    return "?" if number is None else f"{number:,}"


def percent(fraction: float | None) -> str:
    """Return a fraction as a signed percentage, "-" when unknown."""
    return "-" if fraction is None or not math.isfinite(fraction) else f"{fraction:+.1%}"
