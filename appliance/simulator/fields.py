"""Single fields of the simulator's scripts and control requests, read with their bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from appliance.config.forms import END_AT, FIRST_AT, shown
from appliance.errors import ConfigError
from appliance.simulator.options import parse_instant

LONGEST_SECONDS = (END_AT - FIRST_AT).total_seconds()


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a number may be: from `least` to `most`, a whole one when `is_whole`."""

    least: float
    most: float
    is_whole: bool = False

    def __str__(self) -> str:
        kind = "a whole number" if self.is_whole else "a number"
        return f"{kind} from {self.least:.15g} to {self.most:.15g}"


SECONDS = Bounds(0.0, LONGEST_SECONDS)


def number(fields: Mapping[str, Any], key: str, where: str, bounds: Bounds) -> float | None:
    """Return a number within its bounds, None when the key is not there.

    Raises:
        ConfigError: it is something else; says what is expected.
    """
    if key not in fields:
        return None
    value = fields[key]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # Negated, so that NaN, which compares with nothing, is outside.
    if not is_number or not bounds.least <= value <= bounds.most:
        raise wrong(where, key, f"is {shown(value)}", f"expected: {bounds}")
    if bounds.is_whole and value != int(value):
        raise wrong(where, key, f"is {shown(value)}", f"expected: {bounds}")
    return float(value)


def instant(value: object, what: str) -> datetime:
    """Return the instant of a TOML time or an ISO text; without a zone it is UTC.

    Raises:
        ConfigError: it is none, or not of the years 2010 to 2099.
    """
    if isinstance(value, datetime):
        value = (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    return parse_instant(str(value), what)


def wrong(where: str, key: str, what: str, hint: str) -> ConfigError:
    """Return the error of a field."""
    return ConfigError(f"{where}: {key} {what}", hint=hint)
