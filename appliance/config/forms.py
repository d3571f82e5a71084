"""The forms that texts must have, and how a message shows one; for whoever starts too often for pydantic."""

from __future__ import annotations

import re
import reprlib
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from appliance import zone

FIRST_AT = datetime(2010, 1, 1, tzinfo=UTC)
END_AT = datetime(2100, 1, 1, tzinfo=UTC)
"""Instants of candles lie in [FIRST_AT, END_AT)."""
MARKET = re.compile(r"[A-Z0-9]{1,16}-[A-Z0-9]{1,16}")
_SPAN = re.compile(r"(?P<count>\d{1,6})(?P<unit>[smhd])")
_TIME_OF_DAY = re.compile(r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_PASSWORD = re.compile(r"(://[^:/@\s]*):[^/@\s]*@")


def has_control_characters(text: str) -> bool:
    """Whether a text has control characters or halves of characters, which nothing names or shows."""
    return any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)


def is_market(code: str) -> bool:
    """Whether a text has the form of a market code such as KRW-BTC."""
    return bool(MARKET.fullmatch(code))


def is_project_name(name: str) -> bool:
    """Whether a text has the form of a project's name."""
    return name.isidentifier() and name.islower()


def parse_instant(text: str, *, is_typed: bool = False) -> datetime:
    """Return an ISO time or date as an aware instant.

    Without an offset it is UTC in a file or variable, and in the zone of `appliance.zone` when typed.

    Raises:
        ValueError: it is none, or before 2010 or after 2099; says what is expected.
    """
    try:
        at = datetime.fromisoformat(text.strip())
        if at.tzinfo is None and not is_typed:
            at = at.replace(tzinfo=UTC)
        at = zone.aware(at)
    except (ValueError, OverflowError):
        raise ValueError("an ISO time such as 2026-01-31T09:00") from None
    if not FIRST_AT <= at < END_AT:
        raise ValueError("a time from 2010 to 2099")
    return at


def parse_moment(text: str, now: datetime) -> datetime:
    """Return a typed instant: an ISO time, a span ago (`90s`, `30m`, `12h`, `7d`), or the last `02:13`.

    Raises:
        ValueError: it is none; says what is expected.
    """
    word = text.strip()
    if span := _SPAN.fullmatch(word):
        ago = timedelta(seconds=int(span["count"]) * _UNIT_SECONDS[span["unit"]])
        return max(now - min(ago, now - FIRST_AT), FIRST_AT)
    if _TIME_OF_DAY.fullmatch(word):
        return _last(word, now)
    try:
        return parse_instant(word, is_typed=True)
    except ValueError as error:
        raise ValueError(f"{error}, a time of day such as 02:13, or a span such as 12h") from None


def _last(time_of_day: str, now: datetime) -> datetime:
    """Return when it was last this time of day in the zone."""
    today = zone.local(now).date()
    for day in (today, today - timedelta(days=1)):
        at = parse_instant(f"{day.isoformat()}T{time_of_day:0>5}", is_typed=True)
        if at <= now:
            break
    return at


def shown(value: object) -> str:
    """Return a value for a message: short, and a URL without its password."""
    brief = reprlib.Repr()
    brief.maxstring = brief.maxother = brief.maxlong = 80
    return _PASSWORD.sub(r"\1:***@", brief.repr(value))


def nearest(name: str, known: Sequence[str]) -> str:
    """Return which known name was probably meant, or all of them, as a hint."""
    import difflib

    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
