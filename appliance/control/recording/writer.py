"""Follows the state and writes what changes of it into the home's recording."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from appliance import clock
from appliance.control.recording.delta import difference
from appliance.control.recording.folder import Limits, SectionFile, milliseconds, prune
from appliance.control.recording.segment import Record
from appliance.control.recording.state import STATUS, shape

SECTION_SECONDS = 3600.0
SECTION_BYTES = 16_000_000
HEARTBEAT_SECONDS = 10.0
"""Longest silence of a recording that goes on; what says so is a record of the subject ""."""


class RecordingWriter:
    """Takes values by subject and writes their changes; one thread uses it.

    A section that cannot be written is given up; the next one, which holds the whole state again, is
    begun by the next `flush`.

    Args:
        folder: where the files are.
        limits: how much is kept.
        blot: takes secrets out of JSON text.
        about: what the head of each section says.
    """

    def __init__(
        self, folder: Path, limits: Limits, blot: Callable[[str], str], about: Mapping[str, Any]
    ) -> None:
        self._folder = folder
        self._limits = limits
        self._blot = blot
        self._about = about
        self._file: SectionFile | None = None
        self._began_at = clock.now()
        self._values: dict[str, Any] = {}
        self._pending: list[Record] = []
        self._newest = 0
        self._shape: Any = None

    def value(self, subject: str) -> Any:
        """Return the newest value of a subject, None when there is none."""
        return self._values.get(subject)

    def subjects(self) -> list[str]:
        """Return the subjects that have a value."""
        return list(self._values)

    def put(self, subject: str, text: str, at: datetime, *, mark: bool = False) -> None:
        """Take a subject's value as JSON text."""
        self.put_value(subject, json.loads(self._blot(text)), at, mark=mark)

    def put_value(self, subject: str, value: Any, at: datetime, *, mark: bool = False) -> None:
        """Take a subject's value, already without secrets."""
        change = difference(self._values.get(subject), value)
        if change is None:
            return
        if subject == STATUS:
            shown = shape(value["r"])
            mark, self._shape = shown != self._shape, shown
        self._values[subject] = value
        self._note(at, subject, change, mark=mark)

    def drop(self, subject: str, at: datetime) -> None:
        """Forget a subject."""
        if self._values.pop(subject, None) is not None:
            self._note(at, subject, None)

    def _note(
        self, at: datetime, subject: str, change: Mapping[str, Any] | None, *, mark: bool = False
    ) -> None:
        self._newest = max(self._newest, milliseconds(at))
        if self._file is not None:
            self._pending.append(Record(self._newest, subject, change, int(mark)))

    def flush(self, now: datetime) -> None:
        """Write what is pending; begin a new section when it is time.

        Raises:
            OSError: it cannot be written; the next call tries with a new section.
        """
        try:
            if self._file is not None and not self._pending and self._is_silent(now):
                self._note(now, "", None)
            if self._file is not None and self._pending:
                records, self._pending = self._pending, []
                self._file.append(records)
            if self._file is None or self._is_full(self._file, now):
                self._begin(now)
        except OSError:
            self._give_up()
            raise

    def close(self) -> None:
        """Write what is pending and end the section."""
        if self._file is not None:
            if self._pending:
                self._file.append(self._pending)
            self._file.close(is_whole=True)
            self._file, self._pending = None, []

    def _is_silent(self, now: datetime) -> bool:
        return milliseconds(now) - self._newest >= HEARTBEAT_SECONDS * 1000

    def _is_full(self, file: SectionFile, now: datetime) -> bool:
        age = now - self._began_at
        return file.size > SECTION_BYTES or age > timedelta(seconds=SECTION_SECONDS)

    def _begin(self, now: datetime) -> None:
        if self._file is not None:
            self._file.close(is_whole=True)
            self._file = None
        if not self._values:
            return
        self._newest = max(self._newest, milliseconds(now))
        self._file = SectionFile(self._folder, now, self._about)
        self._began_at = now
        whole = [Record(self._newest, name, {"=": v}) for name, v in self._values.items()]
        self._file.append(whole)
        prune(self._folder, self._limits, now)

    def _give_up(self) -> None:
        file, self._file, self._pending = self._file, None, []
        if file is not None:
            try:
                file.close(is_whole=False)
            except OSError:
                return
