"""Reads a recording: the state at any instant, and where something changed.

Sections are opened once and unpacked when they are looked at; two stay unpacked.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from appliance.control.recording.delta import changed
from appliance.control.recording.folder import instant, milliseconds, recorded_files
from appliance.control.recording.segment import Record, Section, read_records, sections
from appliance.errors import ConfigError

_UNPACKED = 2
SILENCE_MS = 15_000
"""A recording that is silent for so long has a gap: whoever wrote it did not run."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The state at one instant: values by subject, and when the newest of its records was written.

    `recorded_at` is None before the first record. `is_gap` says that nothing was recorded then; the
    values are those from before.
    """

    at: datetime
    values: dict[str, Any]
    recorded_at: datetime | None
    is_gap: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """A section and its file."""

    file: Path
    section: Section

    @property
    def key(self) -> tuple[Path, int]:
        return self.file, self.section.begins_at


class RecordingReader:
    """The sections of some files, oldest first; `refresh` sees what was written since.

    Args:
        source: a home's recording folder, or one file.

    Raises:
        ConfigError: there is no recording, or it is of a later format.
    """

    def __init__(self, source: Path) -> None:
        self._source = source
        self._places: list[_Place] = []
        self._unpacked: OrderedDict[tuple[Path, int], list[Record]] = OrderedDict()
        self._sizes: dict[Path, int] = {}
        self._cursor: tuple[tuple[Path, int], int, dict[str, Any]] | None = None
        self.refresh()
        if not self._places:
            raise ConfigError(
                f"there is no recording in {source}",
                code="recording.none",
                hint="the recorder writes while the appliance runs: appliance up",
            )

    @property
    def first_at(self) -> datetime:
        """When the recording begins."""
        return instant(self._places[0].section.begins_at)

    @property
    def last_at(self) -> datetime:
        """When its newest record was written."""
        return instant(max(place.section.ends_at for place in self._places))

    @property
    def sections(self) -> Sequence[Section]:
        """Every section, oldest first."""
        return [place.section for place in self._places]

    @property
    def damaged_bytes(self) -> int:
        """How much of it cannot be read: torn tails and damage."""
        return sum(place.section.damaged_bytes for place in self._places)

    def refresh(self) -> None:
        """Look at files that are new or have grown, and forget those that are gone."""
        is_folder = self._source.is_dir()
        files = recorded_files(self._source) if is_folder else [self._source]
        kept = [p for p in self._places if p.file in files and not self._has_grown(p.file)]
        known = {place.file for place in kept}
        for file in files:
            if file not in known:
                content = _content(file)
                self._sizes[file] = len(content)
                kept += [_Place(file, section) for section in sections(content)]
                self._forget(file)
        self._places = sorted(kept, key=lambda place: place.section.begins_at)

    def at(self, at: datetime) -> Moment:
        """Return the state as of `at`."""
        wanted = milliseconds(at)
        index = self._index(wanted)
        if index is None:
            return Moment(at, {}, None, is_gap=True)
        place = self._places[index]
        records = self._records(place)
        count = bisect_right(records, wanted, key=lambda record: record.at)
        values = self._values(place, records, count)
        newest = records[count - 1].at if count else place.section.begins_at
        is_gap = wanted - newest > SILENCE_MS and wanted > place.section.ends_at
        return Moment(at, values, instant(newest), is_gap)

    def next_mark(self, at: datetime, *, forward: bool, subject: str = "") -> datetime | None:
        """Return when the next change worth a look was recorded, None at the end.

        With a `subject`, only its changes count.
        """
        wanted = milliseconds(at)
        found = self._marks(wanted, forward=forward, subject=subject)
        return None if found is None else instant(found)

    def _marks(self, wanted: int, *, forward: bool, subject: str) -> int | None:
        index = self._index(wanted)
        places = self._places[index or 0 :] if forward else self._places[: (index or 0) + 1][::-1]
        for place in places:
            times = [r.at for r in self._records(place) if r.mark and subject in ("", r.subject)]
            times = [t for t in times if (t > wanted if forward else t < wanted)]
            if times:
                return min(times) if forward else max(times)
        return None

    def records(self, start: datetime, end: datetime) -> Iterable[tuple[Section, list[Record]]]:
        """Yield the records in (start, end] by section."""
        first, last = milliseconds(start), milliseconds(end)
        for place in self._places:
            if place.section.ends_at > first and place.section.begins_at <= last:
                inside = [r for r in self._records(place) if first < r.at <= last]
                yield place.section, inside

    def _index(self, wanted: int) -> int | None:
        index = bisect_right(self._places, wanted, key=lambda place: place.section.begins_at) - 1
        return None if index < 0 else index

    def _values(self, place: _Place, records: Sequence[Record], count: int) -> dict[str, Any]:
        """Return the state after `count` records, going on from the last look where possible."""
        start, values = 0, dict[str, Any]()
        if self._cursor is not None and self._cursor[0] == place.key and self._cursor[1] <= count:
            start, values = self._cursor[1], dict(self._cursor[2])
        for record in records[start:count]:
            apply_record(values, record)
        self._cursor = (place.key, count, dict(values))
        return values

    def _records(self, place: _Place) -> list[Record]:
        if place.key not in self._unpacked:
            self._unpacked[place.key] = list(read_records(_content(place.file), place.section))
            while len(self._unpacked) > _UNPACKED:
                self._unpacked.popitem(last=False)
        self._unpacked.move_to_end(place.key)
        return self._unpacked[place.key]

    def _has_grown(self, file: Path) -> bool:
        try:
            return file.stat().st_size != self._sizes.get(file)
        except OSError:
            return True

    def _forget(self, file: Path) -> None:
        for key in [key for key in self._unpacked if key[0] == file]:
            del self._unpacked[key]
        if self._cursor is not None and self._cursor[0][0] == file:
            self._cursor = None


def apply_record(values: dict[str, Any], record: Record) -> None:
    """Make a record's change in a state."""
    if record.change is not None:
        values[record.subject] = changed(values.get(record.subject), record.change)
    elif record.subject:
        values.pop(record.subject, None)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be read: {error.strerror or error}",
            code="recording.unreadable",
            hint="name a file that `appliance record export` has written",
        ) from error
