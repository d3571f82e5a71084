"""What commands print: data to stdout, narration to stderr."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from enum import Enum

from appliance.errors import ApplianceError

KST = timezone(timedelta(hours=9), "KST")
"""Korea has no daylight saving time."""


def emit(text: str) -> None:
    """Print a line of data."""
    sys.stdout.write(text + "\n")


def narrate(text: str) -> None:
    """Print a line about what happens, at once."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def narrate_error(error: ApplianceError) -> None:
    """Print an error and its next step."""
    narrate(f"error: {error.message}")
    narrate(f"next:  {error.hint or '`appliance doctor` checks machine, home and services'}")


def emit_json(value: object) -> None:
    """Print dataclasses, mappings and sequences as JSON; instants as ISO 8601 in UTC."""
    emit(json.dumps(plain(value), indent=2, ensure_ascii=False))


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
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)


def emit_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print aligned columns; numbers to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [
        max(len(heading), *(len(row[n]) for row in cells)) if cells else len(heading)
        for n, heading in enumerate(headings)
    ]
    is_number = [bool(rows) and all(_is_number(row[n]) for row in rows) for n in range(len(widths))]
    for line in ([list(headings)], cells):
        for row in line:
            padded = (
                text.rjust(width) if right else text.ljust(width)
                for text, width, right in zip(row, widths, is_number, strict=True)
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
    if isinstance(value, float):
        return f"{value:,.8g}" if abs(value) >= 1000 else f"{value:.6g}"
    return str(value)


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
    return "-" if fraction is None else f"{fraction:+.1%}"
