"""Coverage: which spans are proven against REST, how and when.

Inside a proven span an absent candle means that nobody traded; outside, that nobody knows yet. Spans of
a market and timeframe are disjoint. Touching ones are one when they were proven in the same way on the
same UTC day, so that "when" stays meaningful. Once proven stays proven; the first proof counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from appliance.domain.candle import Gap
from appliance.domain.coverage import MarketCoverage, ProofMethod
from appliance.domain.feed import Feed
from appliance.errors import StoreError
from store import gaps as gap_rows
from store.audits import audited_at
from store.candles import count_between
from store.gaps import KnownGap
from store.live import expected_until
from store.rows import scalar, utc, utc_or_none
from store.session import Session, Statement

# What no span covers of [$3, $4): the bounds enter as empty spans, so that edges count.
_UNPROVEN = """
SELECT reached_at AS start_at, start_at AS end_at FROM (
    SELECT start_at, max(end_at) OVER (
        ORDER BY start_at, end_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS reached_at
    FROM (
        SELECT greatest(start_at, $3) AS start_at, least(end_at, $4) AS end_at
        FROM coverage WHERE market = $1 AND unit = $2 AND end_at > $3 AND start_at < $4
        UNION ALL VALUES ($3, $3), ($4, $4)
    )
) WHERE start_at > reached_at
"""

PROVEN = """
SELECT market, unit, min(start_at) AS start_at, max(end_at) AS end_at FROM (
    SELECT *, sum(begins) OVER (PARTITION BY market, unit ORDER BY start_at) AS island FROM (
        SELECT *, (start_at > coalesce(lag(end_at) OVER feed, start_at))::INT AS begins
        FROM coverage WINDOW feed AS (PARTITION BY market, unit ORDER BY start_at)
    )
) GROUP BY market, unit, island
"""
"""What is proven without interruption, however and whenever: touching spans as one."""

_PROVE = f"""
INSERT INTO coverage (market, unit, start_at, end_at, method, first_proven_at, last_proven_at)
SELECT $1, $2, start_at, end_at, $5, $6, $6 FROM ({_UNPROVEN})
"""  # noqa: S608 - a constant of this module

# Touching spans near [$3, $4] of the same method and, from $6 on, of the same day become one row more ...
_MERGE = """
INSERT INTO coverage (market, unit, start_at, end_at, method, first_proven_at, last_proven_at)
SELECT $1, $2, min(start_at), max(end_at), $5, min(first_proven_at), max(last_proven_at)
FROM (
    SELECT *, sum(begins) OVER (ORDER BY start_at) AS island FROM (
        SELECT *, (start_at > coalesce(lag(end_at) OVER (ORDER BY start_at), start_at))::INT AS begins
        FROM coverage
        WHERE market = $1 AND unit = $2 AND method = $5 AND first_proven_at >= $6
            AND start_at <= $4 AND end_at >= $3
    )
)
GROUP BY island HAVING count(*) > 1
"""

# ... which then stands for those inside it.
_DROP_MERGED = """
DELETE FROM coverage USING coverage AS merged
WHERE coverage.market = $1 AND coverage.unit = $2 AND merged.market = $1 AND merged.unit = $2
    AND coverage.id < merged.id AND merged.start_at <= $4 AND merged.end_at >= $3
    AND coverage.start_at >= merged.start_at AND coverage.end_at <= merged.end_at
"""


@dataclass(frozen=True, slots=True)
class Span:
    """A proven span [start_at, end_at); the proofs of its parts lie between the other two instants."""

    start_at: datetime
    end_at: datetime
    method: str
    first_proven_at: datetime
    last_proven_at: datetime


def proof(
    market: str,
    unit: int,
    start_at: datetime,
    end_at: datetime,
    method: ProofMethod,
    proven_at: datetime,
) -> list[Statement]:
    """Return the statements that record [start_at, end_at) as proven, as far as it is not yet.

    They belong into the transaction that stores the span's candles.

    Raises:
        StoreError: the span is empty or reversed.
    """
    if start_at >= end_at:
        raise StoreError(f"[{start_at}, {end_at}) is not a span", code="store.empty_span")
    span = (market, unit, start_at, end_at)
    today_at = proven_at.replace(hour=0, minute=0, second=0, microsecond=0)
    return [
        Statement(_PROVE, (*span, method.value, proven_at)),
        Statement(_MERGE, (*span, method.value, today_at)),
        Statement(_DROP_MERGED, span),
    ]


def prove_span(
    session: Session,
    market: str,
    unit: int,
    start_at: datetime,
    end_at: datetime,
    method: ProofMethod,
    proven_at: datetime,
) -> None:
    """Record [start_at, end_at) as proven where its candles are stored already; see `proof`."""
    session.write(*proof(market, unit, start_at, end_at, method, proven_at))


def spans(
    session: Session, market: str, unit: int, start_at: datetime, end_at: datetime
) -> list[Span]:
    """Return the proven spans that overlap [start_at, end_at), whole and ascending."""
    found = session.read(
        "SELECT start_at, end_at, method, first_proven_at, last_proven_at FROM coverage"
        " WHERE market = ? AND unit = ? AND end_at > ? AND start_at < ? ORDER BY start_at",
        [market, unit, start_at, end_at],
    )
    return [
        Span(
            utc(row["start_at"]),
            utc(row["end_at"]),
            row["method"],
            utc(row["first_proven_at"]),
            utc(row["last_proven_at"]),
        )
        for row in found.to_pylist()
    ]


def watermark(session: Session, market: str, unit: int) -> datetime | None:
    """Return where the first gap begins, else the newest proven end; None when nothing is proven."""
    sql = (
        "SELECT min(end_at) FROM (SELECT end_at, lead(start_at) OVER (ORDER BY start_at) AS next_at"
        " FROM coverage WHERE market = ? AND unit = ?) WHERE next_at IS NULL OR next_at > end_at"
    )
    return utc_or_none(scalar(session.read(sql, [market, unit])))


def proven_until(session: Session, market: str, unit: int) -> datetime | None:
    """Return the end of the newest proven span, whatever lies before; None when nothing is proven."""
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
    """Return the gaps, ascending, between the bounds, with how and when they were found.

    A missing lower bound is the first proven instant; a missing upper one the newest proven or, when
    that is later, the newest close that the ingestor expects. Without any proven span and without both
    bounds there is nothing to compare with, and no gap.
    """
    lower = start_at or proven_from(session, market, unit)
    upper = end_at or _expected_end(session, market, unit)
    if lower is None or upper is None or lower >= upper:
        return []
    found = session.read(f"{_UNPROVEN} ORDER BY start_at", [market, unit, lower, upper])
    unproven = [(utc(row["start_at"]), utc(row["end_at"])) for row in found.to_pylist()]
    if not unproven:
        return []
    known = gap_rows.known_gaps(session, market, unit, lower, upper)
    return [_described(Gap(market, unit, *each), known) for each in unproven]


def proven_feeds(session: Session) -> list[Feed]:
    """Return every feed of which anything is proven."""
    found = session.read("SELECT DISTINCT market, unit FROM coverage ORDER BY market, unit")
    return [Feed(str(row["market"]), int(row["unit"])) for row in found.to_pylist()]


def summarise(session: Session, market: str, unit: int) -> MarketCoverage | None:
    """Return what is known of a market and timeframe; None when nothing is proven."""
    start_at = proven_from(session, market, unit)
    end_at = _expected_end(session, market, unit)
    if start_at is None or end_at is None:
        return None
    width = timedelta(minutes=unit)
    unproven = gaps(session, market, unit, start_at, end_at)
    known = gap_rows.known_gaps(session, market, unit, start_at, end_at)
    late = sum((_overlap(each, start_at, end_at) for each in known), timedelta())
    late -= sum((_overlap(k, g.start_at, g.end_at) for k in known for g in unproven), timedelta())
    repaired = late // width
    missing = sum((gap.end_at - gap.start_at for gap in unproven), timedelta()) // width
    candles = count_between(session, market, unit, start_at, end_at)
    candles -= sum(count_between(session, market, unit, g.start_at, g.end_at) for g in unproven)
    candles -= sum(each.candles for each in known)
    expected = (end_at - start_at) // width
    return MarketCoverage(
        market=market,
        unit=unit,
        start_at=start_at,
        end_at=end_at,
        watermark_at=unproven[0].start_at if unproven else end_at,
        expected=expected,
        candles=candles,
        no_trade=expected - candles - repaired - missing,
        repaired=repaired,
        missing=missing,
        gaps=tuple(unproven),
        audited_at=audited_at(session, market, unit),
    )


def _expected_end(session: Session, market: str, unit: int) -> datetime | None:
    """Return up to where candles are expected: the newest proven end or the ingestor's word."""
    proven_at = proven_until(session, market, unit)
    expected_at = expected_until(session, market, unit)
    if proven_at is None or expected_at is None:
        return proven_at
    return max(proven_at, expected_at)


def _described(gap: Gap, known: Sequence[KnownGap]) -> Gap:
    """Return the gap with when and how its first recorded part was found."""
    mine = [k for k in known if k.start_at < gap.end_at and k.end_at > gap.start_at]
    if not mine:
        return gap
    first = min(mine, key=lambda each: each.found_at)
    return replace(gap, found_at=first.found_at, cause=first.cause)


def _overlap(known: KnownGap, start_at: datetime, end_at: datetime) -> timedelta:
    return max(timedelta(), min(known.end_at, end_at) - max(known.start_at, start_at))
