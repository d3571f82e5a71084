"""A line a minute about every service's CPU, memory, written bytes and restarts, kept for days.

Files of the supervisor's own and not the store: the hours in which the store was down are those that
somebody wants to see.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from appliance.config.paths import Paths
from appliance.supervisor.usage import Reading

_log = logging.getLogger(__name__)

KEPT_DAYS = 14
_SUFFIX = ".jsonl"
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class ServiceUsage:
    """A service over the time since the sample before.

    `cores` is CPU time over time; `memory` bytes; `written` bytes a second that went to the disk;
    `restarts` those since the supervisor started.
    """

    cores: float
    memory: int
    written: float
    restarts: int


@dataclass(frozen=True, slots=True)
class UsageSample:
    """All services at one instant, the free bytes of the home's disk and the store's size."""

    at: datetime
    free: int
    store: int
    services: Mapping[str, ServiceUsage] = field(default_factory=dict)


def usage_between(
    before: Mapping[str, Reading],
    after: Mapping[str, Reading],
    seconds: float,
    restarts: Mapping[str, int],
) -> dict[str, ServiceUsage]:
    """Return what each service took between two readings; one that is new took it since its start."""
    found = {}
    for name, reading in after.items():
        earlier = before.get(name)
        if earlier is None or earlier.leader != reading.leader:
            earlier = Reading(reading.leader, 0.0, 0, 0)
        found[name] = ServiceUsage(
            round(max(reading.cpu_seconds - earlier.cpu_seconds, 0.0) / seconds, 4),
            reading.memory,
            round(max(reading.written - earlier.written, 0) / seconds, 1),
            restarts.get(name, 0),
        )
    return found


def take_sample(paths: Paths, at: datetime, services: Mapping[str, ServiceUsage]) -> UsageSample:
    """Return a sample with what the disk says now."""
    store = paths.store_file
    files = (store, store.with_name(store.name + ".wal"))
    size = sum(file.stat().st_size for file in files if file.exists())
    return UsageSample(at, shutil.disk_usage(paths.home).free, size, services)


def append_sample(paths: Paths, sample: UsageSample) -> None:
    """Write a sample down; files of days that are too old go."""
    line = json.dumps(
        {
            "at": int(sample.at.timestamp()),
            "free": sample.free,
            "store": sample.store,
            "services": {
                name: [u.cores, u.memory, u.written, u.restarts]
                for name, u in sample.services.items()
            },
        },
        separators=(",", ":"),
    )
    file = _file_of(paths, sample.at.date())
    is_new = not file.exists()
    file.parent.mkdir(mode=0o700, exist_ok=True)
    with os.fdopen(os.open(file, _APPEND, 0o600), "a", encoding="utf-8") as output:
        output.write(f"{line}\n")
    if is_new:
        _prune(paths, sample.at.date() - timedelta(days=KEPT_DAYS))


def read_samples(paths: Paths, start_at: datetime, end_at: datetime) -> Iterator[UsageSample]:
    """Yield the samples of [start_at, end_at], oldest first; a damaged line is left out."""
    day = max(start_at.date(), end_at.date() - timedelta(days=KEPT_DAYS))
    while day <= end_at.date():
        file = _file_of(paths, day)
        if file.is_file():
            with file.open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    sample = _sample(line)
                    if sample is not None and start_at <= sample.at <= end_at:
                        yield sample
        day += timedelta(days=1)


def known_span(paths: Paths) -> tuple[datetime, datetime] | None:
    """Return the first and the last instant with a sample."""
    files = sorted(paths.usage.glob(f"*{_SUFFIX}"))
    if not files:
        return None
    first = next(_samples(files[0]), None)
    newest = deque(_samples(files[-1]), maxlen=1)
    return (first.at, newest[-1].at) if first and newest else None


def _samples(file: Path) -> Iterator[UsageSample]:
    with file.open(encoding="utf-8", errors="replace") as lines:
        yield from (sample for line in lines if (sample := _sample(line)))


def _sample(line: str) -> UsageSample | None:
    try:
        stored = json.loads(line)
        services = {name: ServiceUsage(*values) for name, values in stored["services"].items()}
        at = datetime.fromtimestamp(stored["at"], UTC)
        return UsageSample(at, int(stored["free"]), int(stored["store"]), services)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError):
        return None


def _file_of(paths: Paths, day: date) -> Path:
    return paths.usage / f"{day.isoformat()}{_SUFFIX}"


def _prune(paths: Paths, before: date) -> None:
    for file in paths.usage.glob(f"*{_SUFFIX}"):
        if file.stem < before.isoformat():
            file.unlink(missing_ok=True)
            _log.info("usage of %s forgotten", file.stem)
