"""What a front end may ask of a recording: the appliance as it was, and where something changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from appliance.control.api import Control


@dataclass(frozen=True, slots=True)
class PastLook:
    """The appliance as of `at`.

    `control` answers as it did then, errors included; `kept` ignores errors and answers with the last
    good value, as a screen that was open went on to show. `recorded_at` is when the newest change before
    was written; with `is_gap` nothing was recorded at `at`.
    """

    at: datetime
    control: Control
    kept: Control
    recorded_at: datetime
    is_gap: bool


class Recording(Protocol):
    """A recording of one appliance; calls read files and may take a moment.

    Each raises `ConfigError` where there is no recording.
    """

    @property
    def title(self) -> str:
        """What was recorded, in a word or two."""
        ...

    def span(self) -> tuple[datetime, datetime]:
        """Return the first and the newest instant that can be looked at."""
        ...

    def look(self, at: datetime) -> PastLook:
        """Return the appliance as of `at`, or of the nearest instant that is recorded."""
        ...

    def step(self, at: datetime, *, forward: bool, events_only: bool = False) -> datetime | None:
        """Return when the next change worth a look was recorded, None at the end."""
        ...
