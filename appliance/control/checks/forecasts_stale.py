"""Candles arrive, and no forecast is made from them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from appliance.control.api import ApplianceStatus, ProjectStatus
from appliance.control.health import Finding, Surroundings

_CANDLES_BEHIND = 5
_GRACE = timedelta(minutes=2)


def find_forecasts_stale(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find projects with a production model whose newest forecast is candles behind."""
    for project in status.projects:
        newest_at = _newest_candle(status, project)
        if project.champion is None or newest_at is None or "store" in (status.stale or {}):
            continue
        forecast = project.forecast
        behind = timedelta(minutes=project.unit * _CANDLES_BEHIND)
        if forecast is None or newest_at - forecast.candle_date_time_utc > behind:
            since = f"{forecast.candle_date_time_utc:%H:%M} UTC" if forecast else "ever"
            yield Finding(
                "forecast.stale",
                project.name,
                f"{project.name}: no forecast for a newer candle since {since}",
                f"appliance run inference --project {project.name}",
                _GRACE,
            )


def _newest_candle(status: ApplianceStatus, project: ProjectStatus) -> datetime | None:
    """Return the opening time of the newest candle stored without a gap before it."""
    for market in status.markets:
        if (market.market, market.unit) == (project.market, project.unit):
            watermark = market.ingestion.watermark_at if market.ingestion else None
            return watermark - timedelta(minutes=market.unit) if watermark else None
    return None
