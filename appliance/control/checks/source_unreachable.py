"""The market source does not deliver, in the ingestor's own words, or the ingestor is silent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from appliance.control.api import ApplianceStatus
from appliance.control.health import Finding, Surroundings

_MESSAGE_GRACE = timedelta(seconds=5)
_SILENT_AFTER = timedelta(seconds=30)


def find_source_unreachable(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find markets whose ingestion reports trouble or reports nothing any more."""
    for market in status.markets:
        ingestion = market.ingestion
        if ingestion is None:
            continue
        subject = f"{market.market}-{market.unit}"
        name = f"{market.market} {market.unit}m"
        if status.at - ingestion.heartbeat_at > _SILENT_AFTER:
            yield Finding(
                "ingest.silent",
                subject,
                f"the ingestor has not reported on {name} for "
                f"{(status.at - ingestion.heartbeat_at).total_seconds():.0f} s",
                "appliance logs ingestor, then appliance restart ingestor",
            )
        elif ingestion.state == "rejected":
            yield Finding(
                "source.rejected",
                subject,
                f"{name}: {ingestion.message}",
                "correct the configuration (appliance config path shows the files), "
                "then appliance restart ingestor",
            )
        elif ingestion.message and ingestion.state != "backfilling":
            yield Finding(
                "source.unreachable",
                subject,
                f"{name}: {ingestion.message}",
                "nothing is lost: missing candles are fetched once the source answers; "
                "check the network and appliance logs ingestor",
                _MESSAGE_GRACE,
            )
