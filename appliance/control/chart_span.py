"""Which span of time a chart shows, and in how long steps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance.domain.chart import LEAST_SPAN
from appliance.errors import ConfigError

MOST_POINTS = 2000


@dataclass(frozen=True, slots=True)
class Span:
    """What is asked for: [start_at, end_at] in steps of `seconds`; `unit_seconds` is a candle's width."""

    start_at: datetime
    end_at: datetime
    seconds: int
    unit_seconds: int


def span_of(
    start_at: datetime | None,
    end_at: datetime | None,
    points: int,
    last_at: datetime,
    unit_seconds: int,
    units: int,
    first_at: datetime | None = None,
) -> Span:
    """Return the span that is meant, and how much time a value stands for: whole units, one at least.

    Without a start it has `units`, or begins with the oldest value, `first_at`, where that is later.

    Raises:
        ConfigError: the span is empty, or there are too many points.
    """
    if not 1 <= points <= MOST_POINTS:
        raise ConfigError(f"{points} points: 1 to {MOST_POINTS} are expected", code="chart.points")
    end_at = end_at or last_at
    start_at = start_at or _usual_start(end_at, unit_seconds, units, first_at)
    if start_at >= end_at:
        raise ConfigError(
            f"a chart from {start_at.isoformat()} to {end_at.isoformat()} shows nothing",
            code="chart.span",
            hint="the start comes before the end",
        )
    wanted = (end_at - start_at).total_seconds() / points
    return Span(
        start_at, end_at, max(-(-int(wanted) // unit_seconds), 1) * unit_seconds, unit_seconds
    )


def _usual_start(
    end_at: datetime, unit_seconds: int, units: int, first_at: datetime | None
) -> datetime:
    usual = end_at - timedelta(seconds=units * unit_seconds)
    if first_at is None:
        return usual
    return max(usual, min(first_at, end_at - LEAST_SPAN))
