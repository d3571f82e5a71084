"""Nothing is recorded: what the screens show now cannot be seen again later."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.control.api import ApplianceStatus
from appliance.control.health import Finding, Surroundings


def find_recorder_stopped(status: ApplianceStatus, surroundings: Surroundings) -> Iterator[Finding]:
    """Find a recorder that cannot write."""
    if surroundings.recorder_trouble:
        yield Finding(
            "recorder.stopped",
            "",
            f"the flight recorder cannot write: {surroundings.recorder_trouble}",
            f"look at {status.home}/recording; it tries again every 30 s",
        )
