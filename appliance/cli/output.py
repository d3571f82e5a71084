"""What commands print: data to stdout, narration to stderr."""

from __future__ import annotations

import dataclasses
import math
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum

from appliance import zone
from appliance.errors import ApplianceError
from appliance.terminal import CleanStream, clean, clean_json, clean_line

_NUMBER = re.compile(r"[+-]?[\d,]+(\.\d+)?(e[+-]\d+)?( (%|s|min|h|d|bp))?")

COMPUTED_FIELDS = (
    "is_healthy",
    "is_ready",
    "is_champion",
    "is_equal",
    "is_conforming",
    "closes_at",
    "done_by",
)
"""Properties that JSON has beside a dataclass's fields."""


def emit(text: str) -> None:
    """Print a line for people, the instants that it names in the zone; on a terminal it stays one line."""
    text = zone.in_zone(text)
    emit_text((clean(text).replace("\n", "\\n") if sys.stdout.isatty() else text) + "\n")


def emit_text(text: str) -> None:
    """Print data that has its own line breaks."""
    sys.stdout.write(text)


def narrate(text: str) -> None:
    """Print a line about what happens, at once; the instants that it names are in the zone."""
    sys.stderr.write(zone.in_zone(text) + "\n")
    sys.stderr.flush()


def narrate_over(text: str) -> None:
    """Put a line about what happens in place of the last such one, on a terminal; print it elsewhere."""
    if isinstance(sys.stderr, CleanStream):
        sys.stderr.rewrite_line(zone.in_zone(text))
    else:
        narrate(text)


def narrate_error(error: ApplianceError) -> None:
    """Print an error and its next step."""
    narrate(f"error: {error.message}")
    narrate(f"next:  {error.hint or '`appliance doctor` checks machine, home and services'}")


def emit_json(value: object) -> None:
    """Print dataclasses, mappings and sequences as JSON; instants as ISO 8601 in UTC."""
    emit_text(json_text(value, indent=2) + "\n")


def emit_line(value: object) -> None:
    """Print a value as JSON in one line, at once."""
    emit_text(json_text(value) + "\n")
    sys.stdout.flush()


def json_text(value: object, *, indent: int | None = None) -> str:
    """Return the JSON of a value: valid, and nothing in it hidden; numbers that JSON lacks are null."""
    import json

    return clean_json(json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False))


def plain(value: object) -> object:
    """Turn domain values into what JSON can hold."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        for name in COMPUTED_FIELDS:
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
    """Print aligned columns for people; numbers to the right, instants in the zone."""
    shown = [[_for_people(value) for value in row] for row in rows]
    table = TablePrinter(headings, shown)
    for row in shown:
        table.emit(row)


def _for_people(value: object) -> object:
    if isinstance(value, str):
        return zone.in_zone(value)
    is_long = isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10_000
    return f"{value:,}" if is_long else value


class TablePrinter:
    """Aligned columns, as wide as a table's first rows need; prints the headings at once.

    The heading of the first column of instants names the zone, which is that of them all.
    """

    def __init__(self, headings: Sequence[str], first: Sequence[Sequence[object]]) -> None:
        names = _with_zone([_text(heading) for heading in headings], first)
        cells = [names, *([_cell(value) for value in row] for row in first)]
        self._widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        self._is_number = [
            bool(first) and all(_reads_as_number(row[n]) for row in first)
            for n in range(len(names))
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


def _with_zone(names: list[str], rows: Sequence[Sequence[object]]) -> list[str]:
    for n in range(len(names)):
        at = next((row[n] for row in rows if _is_instant(row[n])), None)
        if isinstance(at, datetime):
            return [*names[:n], f"{names[n]} ({zone.name(at)})", *names[n + 1 :]]
    return names


def _is_instant(value: object) -> bool:
    return isinstance(value, datetime) and value.tzinfo is not None


def _reads_as_number(value: object) -> bool:
    """Whether a cell belongs to the right: a number, or one with separators, a sign or a unit."""
    if isinstance(value, str):
        return value == "-" or bool(_NUMBER.fullmatch(value))
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return str(value) if value.tzinfo is None else zone.stamp(value)
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, float) and not math.isfinite(value):
        return "-"
    if isinstance(value, float):
        return f"{value:,.8g}" if abs(value) >= 1000 else f"{value:.6g}"
    return _text(str(value))


def _text(text: str) -> str:
    return clean_line(text) if sys.stdout.isatty() else text.replace("\n", "\\n")


def age(at: datetime | None, now: datetime) -> str:
    """Return how long ago, in the largest fitting unit."""
    if at is None:
        return "-"
    seconds = (now - at).total_seconds()
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def lasted(seconds: float | None) -> str:
    """Return how long something took: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds is None:
        return "-"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    return (
        f"{minutes} min {rest:02d} s"
        if minutes < 60
        else f"{minutes // 60} h {minutes % 60:02d} min"
    )


def three_digits(value: float | None, times: float = 1.0) -> str:
    """Return a measured number with the three digits that say something; "-" when unknown."""
    if value is None or not math.isfinite(value):
        return "-"
    number = value * times
    if abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.3g}" if abs(number) >= 0.001 or number == 0 else f"{number:.1e}"


def counted(number: int | None) -> str:
    """Return a count, "?" when nobody could be asked."""
    return "?" if number is None else f"{number:,}"


def percent(fraction: float | None) -> str:
    """Return a fraction as a signed percentage, `+2.5 %`; "-" when unknown."""
    return "-" if fraction is None or not math.isfinite(fraction) else f"{100 * fraction:+.1f} %"


def share(fraction: float | None, decimals: int = 1) -> str:
    """Return a fraction of a whole as a percentage, `79.6 %`; "-" when unknown."""
    if fraction is None or not math.isfinite(fraction):
        return "-"
    return f"{100 * fraction:.{decimals}f} %"
