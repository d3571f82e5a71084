"""The one zone in which people read and type times; everything stored or sent keeps UTC.

A composition root calls `use` once, tests too; until then it is the machine's zone. Text that is stored or
sent names its instants as `utc_text` does or in ISO 8601; `in_zone` shows such text in the zone.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo

EXPECTED = "an IANA time zone such as Asia/Seoul or UTC, or empty for the machine's"

_chosen: tzinfo | None = None
"""None is the machine's zone, with its summer time."""

_STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?([.,]\d{1,6})?")
_UTC_TEXT = re.compile(rf"\b(?:{_STAMP.pattern}(?: to | until |, ))?{_STAMP.pattern} UTC\b")
_UTC_ISO = re.compile(
    r"(?<![\w.:+-])(\d{4}-\d\d-\d\dT\d\d:\d\d)(:\d\d(?:[.,]\d{1,9})?)?(?:Z|\+00:?00)(?![\w:-])"
)
"""An instant of its own, not one within a name such as `manual__2026-11-27T06:30:00+00:00__1f`."""


def use(zone: tzinfo | None) -> None:
    """Show and read times in `zone` from now on, for the whole process; None is the machine's."""
    global _chosen  # noqa: PLW0603 - one process has one zone, which its root sets
    _chosen = zone


def named(name: str) -> tzinfo | None:
    """Return the zone with an IANA name, None (the machine's) for an empty one.

    Raises:
        ValueError: there is no such zone; says what is expected.
    """
    if not name:
        return None
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # a folder of the zone data is an OSError
        raise ValueError(EXPECTED) from None


def local(at: datetime) -> datetime:
    """Return an aware instant as the zone's clocks show it."""
    return at.astimezone(_chosen)


def name(at: datetime) -> str:
    """Return what the zone is called at an instant: `KST`, `UTC`, or `UTC+04` where it has no name."""
    text = local(at).tzname() or ""
    return text if text[:1].isalpha() else f"UTC{text}"


def aware(at: datetime) -> datetime:
    """Return an instant in UTC; one without an offset is taken as the zone's clocks show it."""
    if at.tzinfo is None and _chosen is not None:
        at = at.replace(tzinfo=_chosen)
    return at.astimezone(UTC)


def stamp(at: datetime, *, seconds: bool = True) -> str:
    """Return date and time in the zone, without its name."""
    return local(at).strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def stamp_with_name(at: datetime, *, seconds: bool = True) -> str:
    """Return date and time in the zone with its name, such as `2026-11-27 15:30:00 KST`."""
    return f"{stamp(at, seconds=seconds)} {name(at)}"


def typed(at: datetime) -> str:
    """Return an instant as one types it, `2026-11-27T15:30`: in the zone, without an offset."""
    return local(at).strftime("%Y-%m-%dT%H:%M")


def utc_text(at: datetime, *, seconds: bool = False) -> str:
    """Return an instant for text that is stored or sent, `2026-11-27 06:30 UTC`; `in_zone` reads it."""
    return f"{at.astimezone(UTC):{'%Y-%m-%d %H:%M:%S' if seconds else '%Y-%m-%d %H:%M'}} UTC"


def utc_span(start_at: datetime, end_at: datetime) -> str:
    """Return a span for such text, `2026-11-27 06:30 to 2026-11-27 07:00 UTC`."""
    return f"{utc_text(start_at).removesuffix(' UTC')} to {utc_text(end_at)}"


def utc_argument(at: datetime) -> str:
    """Return an instant for a command in such text, `2026-11-27T06:30Z`: the same in every zone."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


def in_zone(text: str) -> str:
    """Return text with the UTC instants that it names shown in the zone; their kind of writing stays."""
    if "UTC" in text:
        text = _UTC_TEXT.sub(_shown_text, text)
    if "Z" in text or "+00" in text:
        text = _UTC_ISO.sub(_shown_iso, text)
    return text


def _shown_text(found: re.Match[str]) -> str:
    stamps = list(_STAMP.finditer(found[0]))
    try:
        shown = [_shown_stamp(each) for each in stamps]
        between = found[0][stamps[0].end() : stamps[-1].start()] if len(stamps) > 1 else ""
        return f"{between.join(shown)} {name(_utc(stamps[-1][0][:16]))}"
    except (ValueError, OverflowError):  # no day of the calendar, or at the end of time
        return found[0]


def _shown_stamp(found: re.Match[str]) -> str:
    return stamp(_utc(found[0][:19]), seconds=bool(found[1])) + (found[2] or "")


def _shown_iso(found: re.Match[str]) -> str:
    try:
        at = local(_utc(found[1]))
    except (ValueError, OverflowError):
        return found[0]
    if not at.utcoffset():
        return found[0]
    return f"{at:%Y-%m-%dT%H:%M}{found[2] or ''}{at.isoformat()[-6:]}"


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
