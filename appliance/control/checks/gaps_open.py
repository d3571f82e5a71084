"""Candles are missing from the stored history."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from appliance.control.api import ApplianceStatus, MarketStatus
from appliance.control.health import Finding, Surroundings
from appliance.domain.candle import Gap, IngestionState

_GRACE = timedelta(minutes=3)  # the ingestor repairs what it finds by itself


def find_gaps_open(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find markets with gaps that have not been repaired by themselves."""
    for market in status.markets:
        if market.gaps and not _is_being_handled(market):
            yield Finding(
                "data.gaps",
                f"{market.market}-{market.unit}",
                f"{market.market} {market.unit}m has {market.gaps} unrepaired "
                f"{'gap' if market.gaps == 1 else 'gaps'} in its stored history",
                "the ingestor repairs it by itself; at once: e in the dashboard, or appliance run data",
                _GRACE,
                since_at=min((g.found_at for g in named(market) if g.found_at), default=None),
            )


def named(market: MarketStatus) -> tuple[Gap, ...]:
    """Return the gaps of a market that the status names."""
    return market.coverage.gaps if market.coverage else ()


def _is_being_handled(market: MarketStatus) -> bool:
    """Whether the ingestor fills it right now, or another problem says already why it cannot."""
    row = market.ingestion
    return row is not None and (bool(row.message) or row.state == IngestionState.BACKFILLING)
