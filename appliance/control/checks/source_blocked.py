"""The exchange refuses this host until a stated time (418)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from appliance.control.api import ApplianceStatus
from appliance.control.checks.feed_trouble import Kind, find_state
from appliance.control.health import Finding, Surroundings
from appliance.domain.candle import IngestionState

_KIND = Kind(
    "source.blocked",
    "the exchange has blocked this host for too many requests (418)",
    "nothing is lost: it goes on by itself when the block ends; other programs of this host share the limit",
    timedelta(0),
)


def find_source_blocked(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find a block by the exchange."""
    yield from find_state(status, IngestionState.BLOCKED, _KIND)
