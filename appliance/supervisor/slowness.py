"""How much slower than a quiet machine this one is just now.

What answers at once on a quiet machine takes its share longer where five programs want each core.
Limits that tell a hung service from a slow one are multiplied by this factor, so that a busy machine
makes the supervisor patient, not wrong.
"""

from __future__ import annotations

import os
from pathlib import Path

LONGEST = 4.0
"""Beyond this, waiting longer would help nobody."""
_WEIGHT = 0.2
"""Of the newest reading in the average; at one reading a second it follows in about five."""


class Slowness:
    """An average of what wants to run on each core, and of how late the supervisor itself is."""

    def __init__(self, cores: int | None = None) -> None:
        self._cores = cores or os.cpu_count() or 1
        self._demand = 0.0

    @property
    def factor(self) -> float:
        """Return the factor: 1 while each core suffices, `LONGEST` at most."""
        return min(max(1.0, self._demand), LONGEST)

    def note(self, runnable: int, late_seconds: float) -> None:
        """Take in how many tasks were runnable at an instant, and how late a timer was."""
        newest = runnable / self._cores
        self._demand += _WEIGHT * (newest - self._demand)
        self._demand = max(self._demand, min(1.0 + late_seconds, LONGEST))


def runnable_tasks() -> int:
    """Return how many tasks of the machine run or wait for a core, the caller not counted."""
    try:
        running = Path("/proc/loadavg").read_text(encoding="ascii").split()[3].split("/")[0]
        return max(0, int(running) - 1)
    except (OSError, IndexError, ValueError):
        return 0
