"""Forgetting what grows without end and is no truth of its own. Candles, coverage and forecasts stay."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from appliance.config.settings import StoreSettings
from store import alerts, candles, drift, events, features, performance
from store.session import Session

log = logging.getLogger(__name__)

Forget = Callable[[Session, datetime], int]


def forget_old(session: Session, settings: StoreSettings, now_at: datetime) -> int:
    """Delete what is older than the settings allow; 0 days keeps it for ever.

    Each table is a transaction of its own. Returns the number of deleted rows.
    """
    total = 0
    for name, days, forget in _rules(settings):
        if days and (count := forget(session, now_at - timedelta(days=days))):
            log.info("retention table=%s rows=%d older_than_days=%d", name, count, days)
            total += count
    return total


def _rules(settings: StoreSettings) -> tuple[tuple[str, int, Forget], ...]:
    return (
        ("candles_raw", settings.raw_days, candles.forget_raw),
        ("events", settings.events_days, events.forget),
        ("performance", settings.reports_days, performance.forget),
        ("features", settings.rows_days, features.forget),
        ("drift_reports", settings.reports_days, drift.forget),
        ("alert_outbox", settings.alerts_days, alerts.forget_sent),
    )
