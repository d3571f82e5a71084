"""The exchange does not know a configured market, or knows it no longer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from appliance import zone
from appliance.control.api import ApplianceStatus, MarketStatus
from appliance.control.checks.feed_trouble import reporting
from appliance.control.health import Finding, Surroundings
from appliance.domain.candle import IngestionState

_HINT = "correct ingest.markets (appliance config path shows the files)"


def find_market_rejected(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find markets that the source refuses, each with its own next step."""
    told = {(row.market, row.unit) for row in reporting(status)}
    named: set[str] = set()
    for market in status.markets:
        row = market.ingestion
        is_told = (market.market, market.unit) in told and market.market not in named
        if row is None or not is_told or row.state != IngestionState.REJECTED:
            continue
        named.add(market.market)
        if market.stored_candles and market.newest_candle_at is not None:
            message = _gone(market, market.newest_candle_at)
            hint = _gone_hint(market.market)
        else:
            message = row.message or f"{market.market}: the exchange refuses the request"
            hint = row.next_step or _HINT
        yield Finding("source.rejected", market.market, message, hint, since_at=row.since_at)


def _gone(market: MarketStatus, newest_at: datetime) -> str:
    return (
        f"{market.market} is not a market of the exchange any more, delisted or renamed:"
        f" {market.stored_candles:,} candles of {market.unit} min until"
        f" {zone.utc_text(newest_at)} stay stored, no new ones come"
    )


def _gone_hint(market: str) -> str:
    return (
        f"remove {market} from ingest.markets, or put its new code there (a renamed market has its"
        " history under it), and in overrides.market of a project that forecasts it"
    )
