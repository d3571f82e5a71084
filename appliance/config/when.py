"""A time as people name one of the past: a time of day, a date, or how long ago."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta

from appliance import zone
from appliance.config.forms import parse_instant

_AGO = re.compile(r"-(?:\d{1,6}[smhd])+")
_PART = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_TIME = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")
EXPECTED = "a time such as 02:13, 2026-01-31 09:00 or -2h"


def parse_when(text: str, now: datetime) -> datetime:
    """Return the instant that a text means: `02:13` is the last time that clocks showed it.

    Raises:
        ValueError: it is none, or in the future; says what is expected.
    """
    text = text.strip()
    try:
        at = _parse(text, now)
    except (ValueError, OverflowError):
        raise ValueError(EXPECTED) from None
    if at > now:
        raise ValueError(f"{EXPECTED} that is over")
    return at


def _parse(text: str, now: datetime) -> datetime:
    if text == "now":
        return now
    if _AGO.fullmatch(text):
        return now - timedelta(seconds=sum(int(n) * _SECONDS[u] for n, u in _PART.findall(text)))
    if _TIME.fullmatch(text):
        local = zone.local(now)
        at = local.replace(hour=0, minute=0, second=0, microsecond=0)
        of_day = time.fromisoformat(text.zfill(8 if text.count(":") == 2 else 5))
        at = at.replace(hour=of_day.hour, minute=of_day.minute, second=of_day.second)
        return (at if at <= local else at - timedelta(days=1)).astimezone(now.tzinfo)
    return parse_instant(text, is_typed=True)
