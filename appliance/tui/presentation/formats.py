"""Numbers, instants and durations in words; unknown is a dash, never a zero."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from appliance.terminal import clean_line

KST = timezone(timedelta(hours=9), "KST")
"""Korea has no daylight saving time."""
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
    """Return the time of day in KST, to the second."""
    return at.astimezone(KST).strftime("%H:%M:%S")


def moment(at: datetime | None, now: datetime) -> str:
    """Return an instant in KST: the time today, date and time otherwise."""
    if at is None:
        return UNKNOWN
    local, today = at.astimezone(KST), now.astimezone(KST).date()
    return local.strftime("%H:%M:%S" if local.date() == today else "%m-%d %H:%M")


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


def line(*parts: tuple[str, str] | str) -> Text:
    """Return one text from plain strings and (string, style) pairs, cleaned; never wraps."""
    text = Text(no_wrap=True, end="")
    for part in parts:
        if isinstance(part, str):
            text.append(clean_line(part))
        else:
            text.append(clean_line(part[0]), part[1])
    return text


def spread(left: Text, right: Text, width: int) -> Text:
    """Return `left` and `right` at the two ends of a line; the left one gives way."""
    room = width - right.cell_len - 1
    if left.cell_len > room:
        left = left.copy()
        left.truncate(max(room, 0), overflow="ellipsis")
    gap = width - left.cell_len - right.cell_len
    return line().append_text(left).append(" " * max(gap, 0)).append_text(right)
