"""The coverage strip: a span of time in equal cells, each with what is known of its intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from appliance.domain.candle import Gap
from appliance.domain.coverage import MarketCoverage
from appliance.domain.history_job import CoverageCell
from appliance.errors import ConfigError
from store.candles import count_by_bucket
from store.coverage import summarise
from store.gaps import KnownGap, known_gaps
from store.session import Session

MOST_CELLS = 400


def read_strip(
    session: Session, market: str, unit: int, hours: float, cells: int
) -> list[CoverageCell]:
    """Return `cells` cells that end at the newest expected close, oldest first; empty when nothing is known.

    A cell is a whole number of intervals, so that the strip may reach back a bit further than `hours`;
    0 hours is everything known.

    Raises:
        ConfigError: no or too many cells.
    """
    if not 1 <= cells <= MOST_CELLS or hours < 0:
        raise ConfigError(f"{cells} cells of {hours} h: 1 to {MOST_CELLS} cells, 0 h or more")
    known = summarise(session, market, unit)
    if known is None:
        return []
    width = cell_width(known, hours, cells)
    start_at = known.end_at - cells * width
    counts = count_by_bucket(session, market, unit, start_at, known.end_at, width)
    late = known_gaps(session, market, unit, start_at, known.end_at)
    return make_cells(known, late, width, counts, cells)


def cell_width(known: MarketCoverage, hours: float, cells: int) -> timedelta:
    """Return how much time a cell stands for: whole intervals, at least one."""
    unit = timedelta(minutes=known.unit)
    wanted = timedelta(hours=hours) if hours else known.end_at - known.start_at
    return max(1, -(-wanted // (unit * cells))) * unit


def make_cells(
    known: MarketCoverage,
    late: Sequence[KnownGap],
    width: timedelta,
    counts: Mapping[int, int],
    cells: int,
) -> list[CoverageCell]:
    """Return the cells from the gaps on record and the stored candles of each, by index; pure.

    In a cell that is repaired in part, an interval without a trade may count as a candle.
    """
    first_at = known.end_at - cells * width
    bounds = [(first_at + i * width, first_at + (i + 1) * width) for i in range(cells)]
    return [_cell(known, late, bound, counts.get(i, 0)) for i, bound in enumerate(bounds)]


def _cell(
    known: MarketCoverage,
    late: Sequence[KnownGap],
    bounds: tuple[datetime, datetime],
    candles: int,
) -> CoverageCell:
    start_at, end_at = bounds
    unit = timedelta(minutes=known.unit)
    expected = max(end_at - max(start_at, known.start_at), timedelta()) // unit
    missing = _overlap(known.gaps, start_at, end_at) // unit
    repaired = max(_overlap(late, start_at, end_at) // unit - missing, 0)
    candles = min(candles, expected - missing - repaired)
    no_trade = expected - missing - repaired - candles
    return CoverageCell(start_at, end_at, candles, no_trade, repaired, missing)


def _overlap(gaps: Sequence[Gap | KnownGap], start_at: datetime, end_at: datetime) -> timedelta:
    parts = (min(gap.end_at, end_at) - max(gap.start_at, start_at) for gap in gaps)
    return sum((part for part in parts if part > timedelta()), timedelta())
