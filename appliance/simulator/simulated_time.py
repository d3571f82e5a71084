"""Simulated time: an anchor, a speed, and the wall clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from appliance import clock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SimulatedTime:
    """Maps the wall clock to simulated time, which was `simulated_at` at `real_at`."""

    real_at: datetime
    simulated_at: datetime
    speed: float

    def now_at(self) -> datetime:
        """Return the simulated instant."""
        return self.simulated_at + (clock.now() - self.real_at) * self.speed

    def now(self) -> int:
        """Return the simulated instant in milliseconds since 1970."""
        return to_ms(self.now_at())

    def real_seconds_until(self, ms: int) -> float:
        """Return how many real seconds it takes until a simulated instant in ms since 1970."""
        return (ms - self.now()) / 1000 / self.speed


def start_time(start_at: datetime | None, speed: float) -> SimulatedTime:
    """Return simulated time that begins now, at `start_at` or in the present."""
    real_at = clock.now()
    return SimulatedTime(real_at, start_at or real_at, speed)


def to_ms(at: datetime) -> int:
    """Return an aware instant in milliseconds since 1970."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def to_iso(ms: int) -> str:
    """Return `YYYY-MM-DDTHH:MM:SS.mmmZ` of milliseconds since 1970."""
    return f"{_EPOCH + timedelta(milliseconds=ms):%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def day_of(text: str) -> int:
    """Return a date `YYYY-MM-DD` as days since 1970."""
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - _EPOCH).days
