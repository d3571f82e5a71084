"""Gaps on record: what was once not proven in time or found wrong, how it was found, when repaired.

The rows of a market and timeframe are disjoint. What lies inside one and is proven is repaired; that
it is still a gap follows from coverage, not from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from appliance.domain.candle import Gap
from appliance.domain.coverage import GapCause
from store.candles import COUNT_WITH_BATCH, count_between
from store.rows import utc, utc_or_none
from store.session import Session, Statement

_RECORD = """
INSERT INTO gaps (market, unit, start_at, end_at, cause, found_at, candles)
SELECT $1, $2, reached_at, start_at, $5, $6, (
    SELECT count(*) FROM candles AS c WHERE c.market = $1 AND c.unit = $2
        AND c.candle_date_time_utc >= reached_at AND c.candle_date_time_utc < new.start_at
) FROM (
    SELECT start_at, max(end_at) OVER (
        ORDER BY start_at, end_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS reached_at
    FROM (
        SELECT greatest(start_at, $3) AS start_at, least(end_at, $4) AS end_at
        FROM gaps WHERE market = $1 AND unit = $2 AND end_at > $3 AND start_at < $4
        UNION ALL VALUES ($3, $3), ($4, $4)
    )
) AS new WHERE start_at > reached_at
RETURNING *
"""


@dataclass(frozen=True, slots=True)
class KnownGap:
    """A gap on record; `repaired_at` is None while any of it is unproven.

    `candles` counts those stored in the range, so that the rest of a repaired gap had no trade.
    """

    id: int
    market: str
    unit: int
    start_at: datetime
    end_at: datetime
    cause: str
    found_at: datetime
    repaired_at: datetime | None
    candles: int


def record_gap(session: Session, gap: Gap, cause: GapCause, found_at: datetime) -> list[KnownGap]:
    """Put on record what is not yet of a gap, and return that."""
    values = (gap.market, gap.unit, gap.start_at, gap.end_at, cause.value, found_at)
    return [_gap(row) for row in session.write(Statement(_RECORD, values)).to_pylist()]


def known_gaps(
    session: Session, market: str, unit: int, start_at: datetime, end_at: datetime
) -> list[KnownGap]:
    """Return the gaps on record that overlap [start_at, end_at), repaired ones too, ascending."""
    found = session.read(
        "SELECT * FROM gaps WHERE market = ? AND unit = ? AND end_at > ? AND start_at < ?"
        " ORDER BY start_at",
        [market, unit, start_at, end_at],
    )
    return [_gap(row) for row in found.to_pylist()]


def open_gaps(session: Session, market: str, unit: int) -> list[KnownGap]:
    """Return the gaps on record that are not wholly repaired, ascending."""
    found = session.read(
        "SELECT * FROM gaps WHERE market = ? AND unit = ? AND repaired_at IS NULL ORDER BY start_at",
        [market, unit],
    )
    return [_gap(row) for row in found.to_pylist()]


def repaired_since(session: Session, market: str, unit: int, since_at: datetime) -> list[KnownGap]:
    """Return the gaps that were repaired at or after an instant, ascending."""
    found = session.read(
        "SELECT * FROM gaps WHERE market = ? AND unit = ? AND repaired_at >= ? ORDER BY start_at",
        [market, unit, since_at],
    )
    return [_gap(row) for row in found.to_pylist()]


def close_gap(session: Session, gap: KnownGap, repaired_at: datetime) -> KnownGap | None:
    """Mark a gap as repaired and return it so; None when another process was first."""
    candles = count_between(session, gap.market, gap.unit, gap.start_at, gap.end_at)
    closed = session.write(
        Statement(
            "UPDATE gaps SET repaired_at = ?, candles = ? WHERE id = ? AND repaired_at IS NULL"
            " RETURNING *",
            (repaired_at, candles, gap.id),
        )
    ).to_pylist()
    return _gap(closed[0]) if closed else None


def recount(gap: KnownGap) -> Statement:
    """Return the statement that brings `candles` up to date in the transaction that stores a batch."""
    within = (gap.market, gap.unit, gap.start_at, gap.end_at)
    return Statement(
        f"UPDATE gaps SET candles = ({COUNT_WITH_BATCH}) WHERE id = $5",  # noqa: S608
        (*within, gap.id),
    )


def _gap(row: dict[str, Any]) -> KnownGap:
    return KnownGap(
        id=row["id"],
        market=row["market"],
        unit=row["unit"],
        start_at=utc(row["start_at"]),
        end_at=utc(row["end_at"]),
        cause=row["cause"],
        found_at=utc(row["found_at"]),
        repaired_at=utc_or_none(row["repaired_at"]),
        candles=row["candles"],
    )
