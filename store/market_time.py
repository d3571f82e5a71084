"""How wall time and market time relate, as forecasts witness it: made at one, of a candle of the other.

The built-in market may run at another speed than the clock on the wall, begin at another time, and change its
speed at a restart. Only what was stored says which of its instants belongs to which of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from store.rows import utc
from store.session import Session

_WITNESSES = """
WITH made AS (
    SELECT made_at, max(candle_date_time_utc + to_minutes(unit)) AS closed_at
    FROM forecasts WHERE project = $1 AND is_production GROUP BY made_at
), newest AS (
    SELECT made_at, closed_at, max(closed_at) OVER (ORDER BY made_at) AS newest_at FROM made
)
SELECT min(made_at) AS wall_at, min(closed_at) AS market_at FROM newest
WHERE closed_at = newest_at AND closed_at BETWEEN $2::TIMESTAMPTZ AND $3::TIMESTAMPTZ
GROUP BY epoch(closed_at)::BIGINT // $4 ORDER BY wall_at
"""


@dataclass(frozen=True, slots=True)
class Witness:
    """At `wall_at` a forecast was made that knew the candle that closed at `market_at`."""

    wall_at: datetime
    market_at: datetime


def read_witnesses(
    session: Session, project: str, start_at: datetime, end_at: datetime, step: timedelta
) -> list[Witness]:
    """Return the first witness of each `step` of market time in a span, both of its instants ascending.

    A forecast of an older candle than one that was forecast before is none: it was made up for later.
    """
    values = [project, start_at, end_at, int(step.total_seconds())]
    return [
        Witness(utc(row["wall_at"]), utc(row["market_at"]))
        for row in session.read(_WITNESSES, values).to_pylist()
    ]
