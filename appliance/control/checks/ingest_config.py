"""The changed configuration cannot be used; the one before goes on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from appliance.control.api import ApplianceStatus
from appliance.control.checks.feed_trouble import Kind, find_state
from appliance.control.health import Finding, Surroundings
from appliance.domain.candle import IngestionState

_KIND = Kind(
    "config.ingest",
    "the changed configuration cannot be used, the one before goes on",
    "appliance config check says what is wrong; the ingestor takes a corrected file by itself",
    timedelta(0),
)


def find_ingest_config(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find a configuration that the ingestor could not take over."""
    yield from find_state(status, IngestionState.MISCONFIGURED, _KIND)
