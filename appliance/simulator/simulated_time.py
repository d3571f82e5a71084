"""Simulated time: an anchor, a speed, and the wall clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from appliance import clock


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
        return (self.now_at() - _EPOCH) // timedelta(milliseconds=1)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def start_time(start_at: datetime | None, speed: float) -> SimulatedTime:
    """Return simulated time that begins now, at `start_at` or in the present."""
    real_at = clock.now()
    return SimulatedTime(real_at, start_at or real_at, speed)
