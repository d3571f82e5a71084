"""Faults on request: what a real exchange does on a bad day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from appliance import clock
from appliance.errors import ConfigError


class FaultKind(StrEnum):
    """What goes wrong; the last two concern the WebSocket, the rest replies of `/v1`."""

    TOO_MANY = "429"
    BLOCKED = "418"
    SERVER_ERROR = "500"
    BAD_GATEWAY = "502"
    MAINTENANCE = "503"
    HTML = "html"  # an HTML page with status 200
    ERROR_200 = "error200"  # an error body with status 200
    TRUNCATED = "truncated"
    TIMEOUT = "timeout"
    DROP = "drop"  # drop every socket now
    SILENT = "silent"  # keep sockets open and send nothing


STREAM_FAULTS = frozenset({FaultKind.DROP, FaultKind.SILENT})


@dataclass(slots=True)
class Fault:
    """An armed fault: for the next `count` requests, or until `until` (monotonic seconds)."""

    kind: FaultKind
    count: int
    until: float


class FaultPlan:
    """The faults that are armed."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def arm(self, fault: Fault) -> None:
        """Let a fault happen from now on."""
        self._faults.append(fault)

    def next_reply(self) -> FaultKind | None:
        """Return and use up the fault of the next REST reply, None for a good one."""
        for fault in self._active():
            if fault.kind not in STREAM_FAULTS:
                fault.count -= 1
                return fault.kind
        return None

    @property
    def is_silent(self) -> bool:
        """Whether sockets send nothing at the moment."""
        return any(fault.kind is FaultKind.SILENT for fault in self._active())

    def _active(self) -> list[Fault]:
        now = clock.monotonic()
        self._faults = [fault for fault in self._faults if fault.count > 0 and fault.until > now]
        return self._faults


def parse_fault(fields: Mapping[str, Any]) -> Fault:
    """Return a fault from `{"kind": ..., "count": n}` or `{"kind": ..., "seconds": s}`.

    Raises:
        ConfigError: unknown kind or field.
    """
    unknown = sorted(set(fields) - {"kind", "count", "seconds"})
    if unknown:
        raise ConfigError(f"unknown field {unknown[0]!r} of a fault", hint="kind, count, seconds")
    try:
        kind = FaultKind(str(fields.get("kind")))
        seconds = float(fields.get("seconds", 3600.0))
        count = int(fields.get("count", 1_000_000 if "seconds" in fields else 1))
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"fault: {error}", hint=f"kinds: {', '.join(kind.value for kind in FaultKind)}"
        ) from error
    return Fault(kind, count, clock.monotonic() + seconds)
