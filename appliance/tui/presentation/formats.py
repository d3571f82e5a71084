"""Numbers, instants and durations in words; unknown is a dash, never a zero."""

from __future__ import annotations

import math
from datetime import datetime

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from appliance import zone
from appliance.terminal import clean_line

UNKNOWN = "–"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def span(seconds: float | None) -> str:
    """Return a duration in one or two units, such as `4.1 s`, `2 min 05 s`, `3 h 12 min`."""
    if seconds is None or math.isnan(seconds):
        return UNKNOWN
    if seconds < 10:
        return f"{max(seconds, 0.0):.1f} s"
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 10 * _MINUTE:
        return f"{int(seconds // _MINUTE)} min {int(seconds % _MINUTE):02d} s"
    return rough_span(seconds)


def rough_span(seconds: float) -> str:
    """Return a duration in its largest unit, with the next one where it says something."""
    if seconds < _MINUTE:
        return f"{max(seconds, 0):.0f} s"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min"
    if seconds < _DAY:
        hours, minutes = divmod(int(seconds // _MINUTE), 60)
        return f"{hours} h {minutes:02d} min" if hours < 10 and minutes else f"{hours} h"
    days, hours = divmod(int(seconds // _HOUR), 24)
    return f"{days} d {hours} h" if days < 10 and hours else f"{days} d"


def short_span(seconds: float) -> str:
    """Return a duration in its largest unit only."""
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(seconds, 0):.0f} s"


def age(at: datetime | None, now: datetime) -> str:
    """Return how long ago `at` was, such as `12 s ago`."""
    return UNKNOWN if at is None else f"{short_span((now - at).total_seconds())} ago"


def until(at: datetime, now: datetime) -> str:
    """Return how long until `at`, `due` once it has passed."""
    seconds = (at - now).total_seconds()
    return "due now" if seconds <= 0 else f"in {short_span(seconds)}"


def clock_time(at: datetime) -> str:
    """Return the time of day in the zone, to the second."""
    return zone.local(at).strftime("%H:%M:%S")


def day_time(at: datetime) -> str:
    """Return day and time in the zone, to the minute, without the year."""
    return zone.local(at).strftime("%m-%d %H:%M")


def full_moment(at: datetime) -> str:
    """Return date and time in the zone with its name."""
    return zone.stamp_with_name(at)


def day(at: datetime, now: datetime) -> str:
    """Return the day of an instant in the zone, such as `Saturday 2026-03-14, yesterday`."""
    date, today = zone.local(at).date(), zone.local(now).date()
    near = {0: ", today", 1: ", yesterday"}.get((today - date).days, "")
    return f"{date:%A %Y-%m-%d}{near}"


def same_day(at: datetime, other: datetime) -> bool:
    """Return whether two instants are of the same day in the zone."""
    return zone.local(at).date() == zone.local(other).date()


def zone_name(at: datetime) -> str:
    """Return what the zone is called, such as `KST`; a screen names it once."""
    return zone.name(at)


def moment(at: datetime | None, now: datetime) -> str:
    """Return an instant in the zone: the time today, date and time otherwise."""
    if at is None:
        return UNKNOWN
    is_today = zone.local(at).date() == zone.local(now).date()
    return clock_time(at) if is_today else day_time(at)


def price(value: float | None) -> str:
    """Return a price with as many decimals as its size wants: at least four digits that say something."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    decimals = 0 if abs(value) >= 1000 else 2 if abs(value) >= 1 else 6
    if 0.0 < abs(value) < 1.0:
        decimals = max(decimals, 3 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def percent(fraction: float | None, decimals: int = 1, *, signed: bool = False) -> str:
    """Return a fraction in percent, `+2.5 %`; None and NaN are unknown."""
    if fraction is None or not math.isfinite(fraction):
        return UNKNOWN
    sign = "+" if signed else ""
    return f"{fraction * 100:{sign}.{decimals}f} %".replace("-", "−")


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun in the right form."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def fit(text: str, width: int) -> str:
    """Return `text` in exactly `width` cells, ending in `…` when it was longer."""
    if width <= 0:
        return ""
    if cell_len(text) > width:
        text = set_cell_size(text, width - 1).rstrip() + "…"
    return set_cell_size(text, width)


def clip(text: str, width: int) -> str:
    """Return `text` in at most `width` cells, ending in `…` when it was longer."""
    return text if cell_len(text) <= width else fit(text, width).rstrip()


def shown(text: str) -> str:
    """Return a text on one line as a screen shows it: cleaned, the instants that it names in the zone."""
    return clean_line(zone.in_zone(text))


def line(*parts: tuple[str, str] | str) -> Text:
    """Return one text from plain strings and (string, style) pairs, as `shown` does; never wraps."""
    text = Text(no_wrap=True, end="")
    for part in parts:
        if isinstance(part, str):
            text.append(shown(part))
        else:
            text.append(shown(part[0]), part[1])
    return text


def spread(left: Text, right: Text, width: int) -> Text:
    """Return `left` and `right` at the two ends of a line; the left one gives way."""
    room = width - right.cell_len - 1
    if left.cell_len > room:
        left = left.copy()
        left.truncate(max(room, 0), overflow="ellipsis")
    gap = width - left.cell_len - right.cell_len
    return line().append_text(left).append(" " * max(gap, 0)).append_text(right)
