"""Candles are missing from the stored history."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from appliance.control.api import ApplianceStatus
from appliance.control.health import Finding, Surroundings

_GRACE = timedelta(minutes=3)  # the data workflow repairs what it finds within a run or two


def find_gaps_open(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find markets with gaps that have not been repaired by themselves."""
    for market in status.markets:
        is_backfilling = market.ingestion is not None and market.ingestion.state == "backfilling"
        if market.gaps and not is_backfilling:
            yield Finding(
                "data.gaps",
                f"{market.market}-{market.unit}",
                f"{market.market} {market.unit}m has {market.gaps} unrepaired "
                f"{'gap' if market.gaps == 1 else 'gaps'} in its stored history",
                "appliance run data",
                _GRACE,
            )
