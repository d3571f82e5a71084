"""Scripted regime shifts of the synthetic market.

A shift scales the returns of the undisturbed market from its start on, so everything before it stays
as it was and the price stays continuous.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from appliance.config.forms import is_market, shown
from appliance.config.reading import read_toml
from appliance.errors import ConfigError
from appliance.simulator.columns import Floats
from appliance.simulator.fields import LONGEST_SECONDS, SECONDS, Bounds, instant, number, wrong
from appliance.simulator.windows import MINUTES_PER_DAY, Integers

_DURATION = Bounds(1.0, LONGEST_SECONDS)
_DRIFT = Bounds(-10.0, 10.0)
_FACTOR = Bounds(0.01, 100.0)
_FIELDS = ("at", "after_seconds", "duration_seconds", "volatility", "drift", "volume", "market")


@dataclass(frozen=True, slots=True)
class Shift:
    """A change of regime over minutes [start, end) since 1970; `end` None lasts for ever.

    `volatility` and `volume` are factors, `drift` is added log return per day; `market` "" is all.
    """

    start: int
    end: int | None = None
    volatility: float = 1.0
    drift: float = 0.0
    volume: float = 1.0
    market: str = ""


class ShiftSchedule:
    """All shifts of a simulator; grows while it runs. Thread-safe."""

    def __init__(self, shifts: Iterable[Shift] = ()) -> None:
        self._lock = threading.Lock()
        self._shifts = tuple(shifts)
        self.version = 0

    def add(self, shift: Shift) -> None:
        """Append a shift; `version` tells caches that the time from its start on has changed."""
        with self._lock:
            self._shifts = (*self._shifts, shift)
            self.version += 1

    def all(self) -> tuple[Shift, ...]:
        """Return every shift in order of addition."""
        return self._shifts

    def edges(self, market: str) -> list[int]:
        """Return the minutes at which a market's regime changes, ascending."""
        mine = [shift for shift in self._shifts if shift.market in ("", market)]
        return sorted({s.start for s in mine} | {s.end for s in mine if s.end is not None})

    def factors(self, market: str, minutes: Integers) -> tuple[Floats, Floats, Floats]:
        """Return (volatility factor, drift per minute, volume factor) of each minute."""
        volatility = np.ones(len(minutes))
        drift = np.zeros(len(minutes))
        volume = np.ones(len(minutes))
        for shift in self._shifts:
            if shift.market not in ("", market):
                continue
            is_active = minutes >= shift.start
            if shift.end is not None:
                is_active &= minutes < shift.end
            volatility[is_active] *= shift.volatility
            drift[is_active] += shift.drift / MINUTES_PER_DAY
            volume[is_active] *= shift.volume
        return volatility, drift, volume


def load_scenario(path: Path, started_at: datetime) -> list[Shift]:
    """Return the `[[shift]]` tables of a TOML file.

    Raises:
        ConfigError: unreadable, not TOML, or a shift has unknown or impossible values.
    """
    document = read_toml(path)
    tables = document.get("shift", [])
    is_list = isinstance(tables, list) and all(isinstance(table, dict) for table in tables)
    if set(document) - {"shift", "market"} or not is_list:
        raise ConfigError(
            f"scenario {path}: expected only [[shift]] and [[market]] tables",
            hint="README.md has an example",
        )
    return [parse_shift(table, started_at, str(path)) for table in tables]


def parse_shift(fields: Mapping[str, Any], base_at: datetime, where: str) -> Shift:
    """Return a shift from TOML or JSON fields.

    `at` (ISO time) or `after_seconds` (simulated, from `base_at`) says when, rounded up to a full
    minute so that no candle that exists already changes; `volatility` and `volume` are factors as
    number or text such as "x3"; `duration_seconds` (or `duration`) limits it.

    Raises:
        ConfigError: unknown field or impossible value.
    """
    given = dict(fields)
    if "duration" in given:
        given["duration_seconds"] = given.pop("duration")
    unknown = sorted(set(given) - set(_FIELDS))
    if unknown:
        raise ConfigError(
            f"{where}: unknown field {unknown[0]!r} of a shift", hint=f"known: {', '.join(_FIELDS)}"
        )
    start = _start_minute(given, base_at, where)
    duration = number(given, "duration_seconds", where, _DURATION)
    return Shift(
        start=start,
        end=None if duration is None else start + max(1, round(duration / 60)),
        volatility=_factor(given, "volatility", where),
        drift=number(given, "drift", where, _DRIFT) or 0.0,
        volume=_factor(given, "volume", where),
        market=_market(given, where),
    )


def shift_to_json(shift: Shift) -> dict[str, object]:
    """Return the fields of a shift for replies."""
    return asdict(shift)


def _start_minute(given: Mapping[str, Any], base_at: datetime, where: str) -> int:
    if "at" in given:
        at_seconds = instant(given["at"], f"{where}: at").timestamp()
    else:
        at_seconds = base_at.timestamp() + (number(given, "after_seconds", where, SECONDS) or 0.0)
    return int(-(-at_seconds // 60))


def _factor(given: Mapping[str, Any], name: str, where: str) -> float:
    value = given.get(name, 1.0)
    if isinstance(value, str):
        try:
            value = float(value.lower().removeprefix("x"))
        except ValueError:
            raise wrong(where, name, f"is {shown(value)}", f"expected: {_FACTOR}") from None
    return number({name: value}, name, where, _FACTOR) or 1.0


def _market(given: Mapping[str, Any], where: str) -> str:
    market = given.get("market", "")
    if not isinstance(market, str) or (market and not is_market(market)):
        raise wrong(where, "market", f"is {shown(market)}", "expected: a code such as KRW-BTC")
    return market
