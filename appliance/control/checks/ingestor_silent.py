"""The ingestor reports nothing any more."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.control.api import ApplianceStatus
from appliance.control.checks.feed_trouble import names, unreported
from appliance.control.health import Finding, Surroundings


def find_ingestor_silent(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find markets on which the ingestor has not reported for half a minute."""
    rows = unreported(status)
    if rows:
        since_at = min(row.heartbeat_at for row in rows)
        yield Finding(
            "ingest.silent",
            "",
            f"{names(rows)}: the ingestor has not reported for "
            f"{(status.at - since_at).total_seconds():.0f} s",
            "appliance logs ingestor, then appliance restart ingestor",
            since_at=since_at,
        )
