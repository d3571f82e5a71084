"""The newest stored candle is older than it should be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from appliance.control.api import ApplianceStatus
from appliance.control.health import Finding, Surroundings
from appliance.domain.candle import IngestionState

_TOLERANCE_SECONDS = 120
_GRACE = timedelta(seconds=15)


def find_candles_late(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find markets whose ingestion says that all is well while candles stay away."""
    for market in status.markets:
        ingestion, lag = market.ingestion, market.lag_seconds
        if ingestion is None or lag is None or ingestion.message:
            continue
        if (
            ingestion.state != IngestionState.BACKFILLING
            and lag > market.unit * 60 + _TOLERANCE_SECONDS
        ):
            yield Finding(
                "ingest.late",
                f"{market.market}-{market.unit}",
                f"{market.market} {market.unit}m: the newest stored candle closed {lag:,.0f} s ago",
                "appliance logs ingestor; fetch what is missing now: appliance run data",
                _GRACE,
            )
