"""Candles arrive and could not be stored lately."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.control.api import ApplianceStatus
from appliance.control.checks.feed_trouble import Kind, find_state
from appliance.control.health import Finding, Surroundings
from appliance.domain.candle import IngestionState

_KIND = Kind(
    "ingest.unsaved",
    "candles cannot be stored",
    "they are fetched again when the store is back: appliance logs store",
)


def find_candles_unsaved(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find markets whose candles the store does not take."""
    yield from find_state(status, IngestionState.STORE_DOWN, _KIND)
