"""The market source answers with something else than candles, such as an HTML page."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.control.api import ApplianceStatus
from appliance.control.checks.feed_trouble import Kind, find_state
from appliance.control.health import Finding, Surroundings
from appliance.domain.candle import IngestionState

_KIND = Kind(
    "source.garbled",
    "the exchange answers with something else than candles",
    "nothing is lost: it is asked again until candles come; a proxy's or maintenance page? look at "
    "appliance logs ingestor",
)


def find_source_garbled(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find markets whose replies are not candles."""
    yield from find_state(status, IngestionState.GARBLED, _KIND)
