"""Candles arrive, and no forecast is made from them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from appliance import zone
from appliance.control.api import ApplianceStatus, ProjectStatus
from appliance.control.health import Finding, Surroundings

_TOLERANCE = timedelta(minutes=5)
"""Several candles of a minute, and none of an hour."""
_GRACE = timedelta(minutes=2)


def find_forecasts_stale(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find projects with a production model and a stored candle that no forecast was made from."""
    for project in status.projects:
        newest_at = _newest_candle(status, project)
        if project.champion is None or newest_at is None or "store" in (status.stale or {}):
            continue
        forecast = project.forecast
        if forecast is None or newest_at - forecast.candle_date_time_utc > _TOLERANCE:
            since = f"{zone.utc_text(forecast.candle_date_time_utc)}" if forecast else "ever"
            yield Finding(
                "forecast.stale",
                project.name,
                f"{project.name}: no forecast for a newer candle since {since}",
                f"appliance run inference --project {project.name}",
                _GRACE,
            )


def _newest_candle(status: ApplianceStatus, project: ProjectStatus) -> datetime | None:
    """Return the opening time of the newest candle of the project's market."""
    for market in status.markets:
        if (market.market, market.unit) == (project.market, project.unit):
            return market.newest_candle_at
    return None
