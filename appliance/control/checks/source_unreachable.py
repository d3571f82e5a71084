"""The market source does not answer."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.control.api import ApplianceStatus
from appliance.control.checks.feed_trouble import Kind, find_state
from appliance.control.health import Finding, Surroundings
from appliance.domain.candle import IngestionState

_KIND = Kind(
    "source.unreachable",
    "the exchange does not answer",
    "nothing is lost: missing candles are fetched once the source answers; "
    "check the network and appliance logs ingestor",
)


def find_source_unreachable(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find markets whose REST requests fail."""
    yield from find_state(status, IngestionState.DISCONNECTED, _KIND)
