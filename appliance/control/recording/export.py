"""Writes a span of a recording into one file that is complete in itself."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from appliance.control.recording.folder import instant, milliseconds
from appliance.control.recording.reader import RecordingReader
from appliance.control.recording.segment import Encoder, Record
from appliance.errors import ConfigError

_FRAME_RECORDS = 500


@dataclass(frozen=True, slots=True)
class Exported:
    """A file that was written: its span and size."""

    file: Path
    first_at: datetime
    last_at: datetime
    records: int
    bytes: int


def export(
    reader: RecordingReader,
    file: Path,
    start: datetime,
    end: datetime,
    blot: Callable[[str], str],
) -> Exported:
    """Write what was recorded from `start` to `end` into the new `file` (0600).

    Raises:
        ConfigError: nothing was recorded then, or the file is there already or cannot be written.
    """
    start, end = max(start, reader.first_at), min(end, reader.last_at)
    if end <= start:
        raise ConfigError(
            f"nothing was recorded between {start.isoformat()} and {end.isoformat()}",
            code="recording.nothing",
            hint="appliance record",
        )
    total, last = 0, milliseconds(start)
    with _NewFile(file) as out:
        for about, records in _sections(reader, start, end):
            encoder = Encoder()
            out.write(encoder.head(records[0].at, about))
            for first in range(0, len(records), _FRAME_RECORDS):
                batch = [_blotted(r, blot) for r in records[first : first + _FRAME_RECORDS]]
                out.write(encoder.frame(batch))
            out.write(encoder.tail())
            total, last = total + len(records), records[-1].at
    return Exported(file, start, instant(last), total, file.stat().st_size)


def _sections(
    reader: RecordingReader, start: datetime, end: datetime
) -> Iterator[tuple[dict[str, object], Sequence[Record]]]:
    """Yield the sections to write; the first begins with the whole state as of `start`."""
    first = milliseconds(start)
    for section, records in reader.records(start, end):
        about = {name: v for name, v in section.about.items() if name not in _OF_THE_HEAD}
        if section.begins_at <= first:
            values = reader.at(start).values
            whole = [Record(first, name, {"=": value}) for name, value in values.items()]
            yield about, [*whole, *records]
        elif records:
            yield about, records


_OF_THE_HEAD = ("format", "begins_at")


def _blotted(record: Record, blot: Callable[[str], str]) -> Record:
    change = json.loads(blot(json.dumps(record.change)))
    return Record(record.at, record.subject, change, record.mark)


class _NewFile:
    """A file that appears when it is complete; one that is there already is left alone."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __enter__(self) -> _NewFile:
        try:
            descriptor, name = tempfile.mkstemp(dir=self._file.parent, prefix=".record.")
        except OSError as error:
            raise self._failed(error) from error
        self._temporary = Path(name)
        self._open = os.fdopen(descriptor, "wb")
        return self

    def write(self, content: bytes) -> None:
        try:
            self._open.write(content)
        except OSError as error:
            raise self._failed(error) from error

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            self._open.close()
            if kind is None:
                os.link(self._temporary, self._file)
        except OSError as error:
            raise self._failed(error) from error
        finally:
            self._temporary.unlink(missing_ok=True)

    def _failed(self, error: OSError) -> ConfigError:
        return ConfigError(
            f"{self._file} cannot be written: {error.strerror or error}",
            code="recording.export",
            hint="name a new file in a folder that can be written",
        )
