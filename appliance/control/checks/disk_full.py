"""Little room left where the home is."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.control.api import ApplianceStatus
from appliance.control.health import Finding, Surroundings

LOW_BYTES = 500_000_000


def find_disk_full(status: ApplianceStatus, surroundings: Surroundings) -> Iterator[Finding]:
    """Find a disk that is nearly full."""
    free = surroundings.free_bytes
    if free < LOW_BYTES:
        yield Finding(
            "disk.low",
            "",
            f"only {free / 1e6:,.0f} MB are free at {status.home}; writes fail when it is full",
            f"free at least {LOW_BYTES / 1e6:,.0f} MB; what takes space: du -sh {status.home}/*",
        )
