"""A home's recording: one file per section, named by when it began, kept for some days and bytes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from appliance.control.recording.segment import Encoder, Record

SUFFIX = ".record"
_NAME = "%Y%m%dT%H%M%S.%fZ"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept: files of the last `days` (0 for ever), of `most_bytes` together."""

    days: int = 7
    most_bytes: int = 1_000_000_000


def milliseconds(at: datetime) -> int:
    """Return an instant as the format counts it."""
    return round(at.timestamp() * 1000)


def instant(at: int) -> datetime:
    """Return the instant that a number of milliseconds means."""
    return datetime.fromtimestamp(at / 1000, UTC)


def recorded_files(folder: Path) -> list[Path]:
    """Return the recording's files, oldest first; [] where there is none."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def began_at(file: Path) -> int:
    """Return when a file's section began, by its name, in milliseconds; 0 for a name that is none."""
    try:
        at = datetime.strptime(file.name.removesuffix(SUFFIX), _NAME)
    except ValueError:
        return 0
    return milliseconds(at.replace(tzinfo=UTC))


def prune(folder: Path, limits: Limits, now: datetime) -> None:
    """Remove the oldest files until the limits hold; the newest one stays."""
    files = recorded_files(folder)
    sizes = {file: _size(file) for file in files}
    total = sum(sizes.values())
    for file, newer in pairwise(files):
        age = now - instant(began_at(newer))
        is_old = limits.days > 0 and age > timedelta(days=limits.days)
        if not is_old and total <= limits.most_bytes:
            return
        file.unlink(missing_ok=True)
        total -= sizes[file]


def _size(file: Path) -> int:
    with contextlib.suppress(OSError):
        return file.stat().st_size
    return 0


class SectionFile:
    """One section being written; every batch is in the file when `append` returns.

    Raises:
        OSError: the file cannot be written; what was written of it stays readable.
    """

    def __init__(self, folder: Path, at: datetime, about: Mapping[str, Any]) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self._encoder = Encoder()
        self.path = folder / f"{at.strftime(_NAME)}{SUFFIX}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(self.path, flags, 0o600)
        self.size = 0
        self._write(self._encoder.head(milliseconds(at), about))

    def append(self, records: Sequence[Record]) -> None:
        """Write a batch that is not empty."""
        self._write(self._encoder.frame(records))

    def close(self, *, is_whole: bool) -> None:
        """Close the file; `is_whole` says in it that it ends in good order."""
        if self._file < 0:
            return
        try:
            if is_whole:
                self._write(self._encoder.tail())
        finally:
            os.close(self._file)
            self._file = -1

    def _write(self, frame: bytes) -> None:
        written = os.write(self._file, frame)
        self.size += written
        if written < len(frame):
            raise OSError(f"only {written} of {len(frame)} bytes could be written")
