"""The fault file: which faults happen when, fixed or drawn from a seed. The format is in README.md.

Times and durations are simulated; `real_seconds`, `latency_ms`, `hold_seconds` and `block_seconds` are
real, since they meet a client's own time limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from heapq import merge
from itertools import count as counting
from pathlib import Path
from typing import Any

import numpy as np

from appliance.config.forms import shown
from appliance.config.reading import read_toml
from appliance.simulator.faults import COUNTED_KINDS, FaultKind, Occurrence
from appliance.simulator.fields import LONGEST_SECONDS, SECONDS, Bounds, instant, number, wrong
from appliance.simulator.simulated_time import to_ms

_DAY_SECONDS = 86_400.0
_HOUR_MS = 3_600_000
_WHEN = ("at", "after_seconds", "times", "per_hour")
_HOW_LONG = ("count", "seconds", "real_seconds")
_REQUIRED = None
_PARAMETERS: dict[FaultKind, dict[str, float | None]] = {
    FaultKind.LATENCY: {"latency_ms": _REQUIRED},
    FaultKind.SKEW: {"skew_seconds": _REQUIRED},
    FaultKind.LATE: {"late_seconds": _REQUIRED},
    FaultKind.CORRECTED: {"late_seconds": _REQUIRED},
    FaultKind.ABSENT: {"candles": 3},
    FaultKind.TIMEOUT: {"hold_seconds": 60},
    FaultKind.BLOCKED: {"block_seconds": 5},
}
_BOUNDS = {
    "latency_ms": Bounds(0.0, 600_000.0),
    "skew_seconds": Bounds(-315_360_000.0, 315_360_000.0, is_whole=True),
    "late_seconds": Bounds(0.0, 31_536_000.0),
    "candles": Bounds(0.0, 200.0, is_whole=True),
    "hold_seconds": Bounds(0.0, 86_400.0),
    "block_seconds": Bounds(0.0, 86_400.0),
}
_SEED = Bounds(0.0, 2.0**53, is_whole=True)
_COUNT = Bounds(1.0, 1e9, is_whole=True)
_TIMES = Bounds(1.0, 100_000.0, is_whole=True)
_PER_HOUR = Bounds(0.001, 3600.0)
_LENGTH = Bounds(0.001, LONGEST_SECONDS)


@dataclass(frozen=True, slots=True)
class FaultRule:
    """One `[[fault]]` table: what happens, for how long, and when.

    Exactly one of `at` (ms since 1970), `times` (within the run) and `per_hour` says when; `length` is
    simulated milliseconds.
    """

    kind: FaultKind
    length: int | None
    count: int | None
    at: int | None = None
    times: int = 0
    per_hour: float = 0.0
    parameters: Mapping[str, float] = field(default_factory=dict)

    def occurrence(self, start: int) -> Occurrence:
        """Return this fault at a time in ms since 1970."""
        end = None if self.length is None else start + self.length
        return Occurrence(self.kind, start, end, self.count, self.parameters)


@dataclass(frozen=True, slots=True)
class FaultScript:
    """The rules of a file; the same seed and start give the same times."""

    rules: tuple[FaultRule, ...] = ()
    seed: int = 0
    run_seconds: float = _DAY_SECONDS

    def occurrences(self, start: int) -> Iterator[Occurrence]:
        """Yield every fault in order of time for a run that starts at `start` (ms since 1970)."""
        return merge(*(self._of(rule, number, start) for number, rule in enumerate(self.rules)))

    def _of(self, rule: FaultRule, number: int, start: int) -> Iterator[Occurrence]:
        if rule.at is not None:
            yield rule.occurrence(rule.at)
        elif rule.times:
            latest = max(0.0, self.run_seconds * 1000 - (rule.length or 0))
            for offset in np.sort(self._random(number, 0).random(rule.times)) * latest:
                yield rule.occurrence(start + int(offset))
        else:
            for hour in counting():
                random = self._random(number, hour + 1)
                offsets = np.sort(random.random(random.poisson(rule.per_hour)))
                for offset in (hour + offsets) * _HOUR_MS:
                    yield rule.occurrence(start + int(offset))

    def _random(self, rule: int, hour: int) -> np.random.Generator:
        key = np.array([self.seed, (rule << 32) + hour], np.uint64)
        return np.random.Generator(np.random.Philox(key=key))


def load_faults(path: Path, started_at: datetime, speed: float) -> FaultScript:
    """Return the script of a TOML file; `speed` turns `real_seconds` into simulated ones.

    Raises:
        ConfigError: unreadable, not TOML, or a table is wrong; says which table and key.
    """
    document = read_toml(path)
    unknown = sorted(set(document) - {"seed", "run_seconds", "fault"})
    if unknown:
        raise wrong(str(path), unknown[0], "is unknown", "seed, run_seconds, [[fault]] tables")
    tables = document.get("fault", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise wrong(str(path), "fault", "is no list of tables", "write [[fault]]")
    return FaultScript(
        rules=tuple(
            parse_fault(table, started_at, speed, f"{path}: fault {number}")
            for number, table in enumerate(tables, 1)
        ),
        seed=int(number(document, "seed", str(path), _SEED) or 0),
        run_seconds=number(document, "run_seconds", str(path), _LENGTH) or _DAY_SECONDS,
    )


def parse_fault(
    fields: Mapping[str, Any], base_at: datetime, speed: float, where: str = "fault"
) -> FaultRule:
    """Return the rule of a table or JSON object; without a time it is `after_seconds` = 0 from `base_at`.

    Raises:
        ConfigError: unknown kind or key, impossible or missing value.
    """
    kind = _kind(fields, where)
    known = ("kind", *_WHEN, *_HOW_LONG, *_PARAMETERS.get(kind, {}))
    unknown = sorted(set(fields) - set(known))
    if unknown:
        hint = f"keys of {kind.value!r}: {', '.join(known)}"
        raise wrong(where, unknown[0], "is unknown", hint)
    count, length = _duration(kind, fields, speed, where)
    rule = FaultRule(kind, length, count, parameters=_parameters(kind, fields, where))
    return _timed(rule, fields, base_at, where)


def _kind(fields: Mapping[str, Any], where: str) -> FaultKind:
    given = str(fields.get("kind", ""))
    if given not in {kind.value for kind in FaultKind}:
        kinds = ", ".join(kind.value for kind in FaultKind)
        raise wrong(where, "kind", f"is {shown(given)}", f"kinds: {kinds}")
    return FaultKind(given)


def _duration(
    kind: FaultKind, fields: Mapping[str, Any], speed: float, where: str
) -> tuple[int | None, int | None]:
    """Return (replies, simulated milliseconds) of which at least one limits the fault."""
    count = number(fields, "count", where, _COUNT)
    if count is not None and kind not in COUNTED_KINDS:
        raise wrong(where, "count", f"does not fit {kind.value!r}", "give seconds or real_seconds")
    if "seconds" in fields and "real_seconds" in fields:
        raise wrong(where, "real_seconds", "cannot stand beside seconds", "give one of them")
    seconds = number(fields, "seconds", where, _LENGTH)
    real_seconds = number(fields, "real_seconds", where, _LENGTH)
    if real_seconds is not None:
        seconds = real_seconds * speed
    if kind is FaultKind.DROP:
        return None, 0
    if count is None and seconds is None:
        if kind not in COUNTED_KINDS:
            raise wrong(where, "seconds", "is missing", f"how long is {kind.value!r}?")
        count = 1
    return (
        None if count is None else int(count),
        None if seconds is None else max(1, round(seconds * 1000)),
    )


def _parameters(kind: FaultKind, fields: Mapping[str, Any], where: str) -> dict[str, float]:
    parameters: dict[str, float] = {}
    for key, default in _PARAMETERS.get(kind, {}).items():
        value = number(fields, key, where, _BOUNDS[key])
        if value is None:
            value = default
        if value is None:
            raise wrong(where, key, "is missing", f"{kind.value!r} needs it, a number")
        parameters[key] = value
    return parameters


def _timed(rule: FaultRule, fields: Mapping[str, Any], base_at: datetime, where: str) -> FaultRule:
    given = [key for key in _WHEN if key in fields]
    if len(given) > 1:
        raise wrong(where, given[1], f"cannot stand beside {given[0]}", "give one of them")
    if "times" in fields:
        return replace(rule, times=int(number(fields, "times", where, _TIMES) or 1))
    if "per_hour" in fields:
        return replace(rule, per_hour=number(fields, "per_hour", where, _PER_HOUR) or 1.0)
    if "at" in fields:
        return replace(rule, at=to_ms(instant(fields["at"], f"{where}: at")))
    after = number(fields, "after_seconds", where, SECONDS) or 0.0
    return replace(rule, at=to_ms(base_at) + round(after * 1000))
