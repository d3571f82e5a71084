"""The exchange does not know a configured market."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from appliance.control.api import ApplianceStatus
from appliance.control.checks.feed_trouble import Kind, find_state
from appliance.control.health import Finding, Surroundings
from appliance.domain.candle import IngestionState

_KIND = Kind(
    "source.rejected",
    "the exchange refuses the request",
    "correct ingest.markets (appliance config path shows the files)",
    timedelta(0),
)


def find_market_rejected(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find markets and timeframes that the source refuses."""
    yield from find_state(status, IngestionState.REJECTED, _KIND)
