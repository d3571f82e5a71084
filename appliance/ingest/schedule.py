"""When the scheduler asks for closed candles."""

from __future__ import annotations

from datetime import datetime, timedelta

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from appliance.ingest.intake import floor_to

_SAME_CLOCK = timedelta(seconds=3)
_SETTLED = timedelta(seconds=1)
_DAY = timedelta(days=1)


def close_trigger(
    unit: int, speed: float, exchange_now: datetime, real_now: datetime
) -> BaseTrigger:
    """Return a trigger that fires one second after every close of a `unit`-minute candle.

    On an exchange whose time is ours that is second 1 of every `unit`-th minute. A simulated exchange
    has a time of its own, running at `speed`; then it is an interval that starts after the next close.
    """
    if speed == 1.0 and abs(exchange_now - real_now) < _SAME_CLOCK:
        if unit >= 60:
            return CronTrigger(hour=f"*/{unit // 60}", minute=0, second=1, timezone="UTC")
        return CronTrigger(minute=f"*/{unit}", second=1, timezone="UTC")
    width = timedelta(minutes=unit)
    next_close = floor_to(exchange_now, width) + width
    starts_at = real_now + (next_close - exchange_now) / speed + _SETTLED
    return IntervalTrigger(seconds=max(1.0, width.total_seconds() / speed), start_date=starts_at)


def audit_trigger(
    audit_at: str, speed: float, exchange_now: datetime, real_now: datetime
) -> BaseTrigger:
    """Return a trigger that fires every day of the exchange at `audit_at` (HH:MM, UTC)."""
    hour, minute = (int(part) for part in audit_at.split(":"))
    if speed == 1.0 and abs(exchange_now - real_now) < _SAME_CLOCK:
        return CronTrigger(hour=hour, minute=minute, timezone="UTC")
    next_at = exchange_now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if next_at <= exchange_now:
        next_at += _DAY
    starts_at = real_now + (next_at - exchange_now) / speed
    return IntervalTrigger(seconds=_DAY.total_seconds() / speed, start_date=starts_at)
