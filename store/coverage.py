"""Coverage: which spans are proven against REST.

Inside a proven span an absent candle means that nobody traded; outside, that nobody knows yet.
Spans of a market and timeframe are disjoint and do not touch.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from appliance.domain.candle import Gap
from appliance.domain.coverage import MarketCoverage
from appliance.errors import StoreError
from store.rows import scalar, utc, utc_or_none
from store.session import Session, Statement

_INSERT_MERGED = """
INSERT INTO coverage (market, unit, start_at, end_at, method, first_proven_at, last_proven_at)
SELECT $1, $2, least($3, min(start_at)), greatest($4, max(end_at)), $5,
    least(min(first_proven_at), $6), $6
FROM coverage
WHERE market = $1 AND unit = $2 AND start_at <= $4 AND end_at >= $3
HAVING NOT coalesce(bool_or(start_at <= $3 AND end_at >= $4), FALSE)
"""

_DELETE_MERGED = """
DELETE FROM coverage USING (
    SELECT * FROM coverage WHERE market = $1 AND unit = $2 ORDER BY id DESC LIMIT 1
) AS newest
WHERE coverage.market = newest.market AND coverage.unit = newest.unit AND coverage.id < newest.id
    AND coverage.start_at <= newest.end_at AND coverage.end_at >= newest.start_at
"""

# Islands of what is known: first of the spans, which leaves few uncovered ranges, then of the
# candles stored inside those. The bounds enter as empty spans, so that edges count.
_GAPS = """
WITH spans AS (
    SELECT greatest(start_at, $3) AS start_at, least(end_at, $4) AS end_at
    FROM coverage WHERE market = $1 AND unit = $2 AND end_at > $3 AND start_at < $4
    UNION ALL VALUES ($3, $3), ($4, $4)
), uncovered AS (
    SELECT max(end_at) OVER earlier AS start_at, start_at AS end_at
    FROM spans
    WINDOW earlier AS (ORDER BY start_at, end_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    QUALIFY start_at > max(end_at) OVER earlier
), known AS (
    SELECT c.candle_date_time_utc AS start_at, c.candle_date_time_utc + to_minutes($2) AS end_at
    FROM candles c JOIN uncovered u
        ON c.candle_date_time_utc >= u.start_at AND c.candle_date_time_utc < u.end_at
    WHERE c.market = $1 AND c.unit = $2
    UNION ALL SELECT start_at, end_at FROM spans
)
SELECT max(end_at) OVER earlier AS start_at, start_at AS end_at
FROM known
WINDOW earlier AS (ORDER BY start_at, end_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
QUALIFY start_at > max(end_at) OVER earlier
ORDER BY start_at
"""


def prove_span(
    session: Session,
    market: str,
    unit: int,
    start_at: datetime,
    end_at: datetime,
    method: str,
    proven_at: datetime,
) -> None:
    """Record [start_at, end_at) as proven; touching spans become one with the newest method.

    A span that is already covered changes nothing.

    Raises:
        StoreError: the span is empty or reversed.
    """
    if start_at >= end_at:
        raise StoreError(f"[{start_at}, {end_at}) is not a span", code="store.empty_span")
    session.write(
        Statement(_INSERT_MERGED, (market, unit, start_at, end_at, method, proven_at)),
        Statement(_DELETE_MERGED, (market, unit)),
    )


def watermark(session: Session, market: str, unit: int) -> datetime | None:
    """Return the end of the newest proven span; None when nothing is proven."""
    sql = "SELECT max(end_at) FROM coverage WHERE market = ? AND unit = ?"
    return utc_or_none(scalar(session.read(sql, [market, unit])))


def proven_from(session: Session, market: str, unit: int) -> datetime | None:
    """Return the start of the oldest proven span; None when nothing is proven."""
    sql = "SELECT min(start_at) FROM coverage WHERE market = ? AND unit = ?"
    return utc_or_none(scalar(session.read(sql, [market, unit])))


def gaps(
    session: Session,
    market: str,
    unit: int,
    start_at: datetime | None = None,
    end_at: datetime | None = None,
) -> list[Gap]:
    """Return the gaps, ascending, between the bounds.

    A missing bound is the first or the last proven instant; without any proven span and without both
    bounds there is nothing to compare with, and no gap.
    """
    sql = "SELECT min(start_at), max(end_at) FROM coverage WHERE market = ? AND unit = ?"
    first_at, last_at = session.read(sql, [market, unit]).to_pylist()[0].values()
    lower = first_at if start_at is None else start_at
    upper = last_at if end_at is None else end_at
    if lower is None or upper is None or lower >= upper:
        return []
    found = session.read(_GAPS, [market, unit, lower, upper])
    return [
        Gap(market, unit, utc(row["start_at"]), utc(row["end_at"])) for row in found.to_pylist()
    ]


def unproven_spans(
    session: Session, market: str, unit: int, start_at: datetime, end_at: datetime
) -> list[Gap]:
    """Return the parts of [start_at, end_at) that no proof covers, ascending.

    Unlike a gap such a part may hold stored candles, which may be incomplete.
    """
    found = session.read(
        "SELECT start_at, end_at FROM coverage WHERE market = ? AND unit = ?"
        " AND end_at > ? AND start_at < ? ORDER BY start_at",
        [market, unit, start_at, end_at],
    )
    spans = []
    reached_at = start_at
    for row in found.to_pylist():
        proven_at = utc(row["start_at"])
        if proven_at > reached_at:
            spans.append(Gap(market, unit, reached_at, proven_at))
        reached_at = max(reached_at, utc(row["end_at"]))
    if reached_at < end_at:
        spans.append(Gap(market, unit, reached_at, end_at))
    return spans


def proven_feeds(session: Session) -> list[tuple[str, int]]:
    """Return every (market, unit) of which anything is proven."""
    found = session.read("SELECT DISTINCT market, unit FROM coverage ORDER BY market, unit")
    return [(str(row["market"]), int(row["unit"])) for row in found.to_pylist()]


def summarise(session: Session, market: str, unit: int) -> MarketCoverage | None:
    """Return what is known of a market and timeframe; None when nothing is proven."""
    start_at = proven_from(session, market, unit)
    end_at = watermark(session, market, unit)
    if start_at is None or end_at is None:
        return None
    width = timedelta(minutes=unit)
    open_gaps = gaps(session, market, unit, start_at, end_at)
    counted = session.read(
        "SELECT count(*) FROM candles WHERE market = ? AND unit = ?"
        " AND candle_date_time_utc >= ? AND candle_date_time_utc < ?",
        [market, unit, start_at, end_at],
    )
    expected, candles = (end_at - start_at) // width, int(scalar(counted))
    missing = sum((gap.end_at - gap.start_at) // width for gap in open_gaps)
    return MarketCoverage(
        market=market,
        unit=unit,
        start_at=start_at,
        end_at=end_at,
        watermark_at=open_gaps[0].start_at if open_gaps else end_at,
        expected=expected,
        candles=candles,
        no_trade=expected - candles - missing,
        repaired=0,
        missing=missing,
        gaps=tuple(open_gaps),
    )
