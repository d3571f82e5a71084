"""Work on stored history that an operator asked for, and what one cell of the coverage strip says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class HistoryKind(StrEnum):
    """What a job does."""

    BACKFILL = "backfill"
    """Load what is not proven of a range."""
    REPAIR = "repair"
    """Load what is missing between the first and the newest proven interval."""
    AUDIT = "audit"
    """Compare stored candles with the exchange and correct them."""


class JobState(StrEnum):
    """Where a job is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class HistoryJob:
    """One job: `done` of `wanted` intervals, `fetched` candles received, after `seconds`.

    `start_at` and `end_at` bound what it covers, None where that is up to the job. `message` is the outcome
    or the error, `hint` the next step after an error.
    """

    id: int
    kind: HistoryKind
    market: str
    unit: int
    state: JobState
    began_at: datetime
    start_at: datetime | None = None
    end_at: datetime | None = None
    done: int = 0
    wanted: int = 0
    fetched: int = 0
    seconds: float = 0.0
    ended_at: datetime | None = None
    message: str = ""
    hint: str = ""

    @property
    def rate(self) -> float | None:
        """Candles received a second; None before anything is known."""
        return self.fetched / self.seconds if self.seconds > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """Estimate from the present pace; None before anything is done."""
        return (self.wanted - self.done) * self.seconds / self.done if self.done else None


@dataclass(frozen=True, slots=True)
class CoverageCell:
    """Intervals of [start_at, end_at): `candles + no_trade + repaired + missing` are those expected.

    All are 0 outside what is known.
    """

    start_at: datetime
    end_at: datetime
    candles: int = 0
    no_trade: int = 0
    repaired: int = 0
    missing: int = 0
