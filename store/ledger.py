"""The completeness ledger interval by interval: spans, gaps on record and candles put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from appliance.domain.coverage import IntervalKind, IntervalRun
from store.candles import read_candles
from store.coverage import Span, spans
from store.gaps import KnownGap, known_gaps
from store.rows import utc
from store.session import Session


def classify(
    session: Session, market: str, unit: int, start_at: datetime, end_at: datetime
) -> list[IntervalRun]:
    """Return what each interval of [start_at, end_at) is, how and when proven, as ascending runs.

    The runs touch, from bound to bound; both bounds must be candle boundaries.
    """
    known = known_gaps(session, market, unit, start_at, end_at)
    proven = spans(session, market, unit, start_at, end_at)
    table = read_candles(session, market, unit, start_at, end_at)
    opens = [utc(at) for at in table.column("candle_date_time_utc").to_pylist()]
    times = iter([*opens, end_at])
    next_candle_at = next(times)
    runs: list[IntervalRun] = []
    for piece in _pieces(market, unit, (start_at, end_at), proven, known):
        inside = []
        while next_candle_at < piece.end_at:
            inside.append(next_candle_at)
            next_candle_at = next(times)
        runs += piece.runs(inside)
    return runs


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of the range within which span and gap on record are the same."""

    market: str
    unit: int
    start_at: datetime
    end_at: datetime
    span: Span | None
    gap: KnownGap | None

    def runs(self, candles: list[datetime]) -> Iterator[IntervalRun]:
        """Yield the piece's runs; only where nothing was ever wrong do candles tell intervals apart."""
        if self.span is None:
            yield self._run(self.start_at, self.end_at, IntervalKind.GAP)
        elif self.gap is not None:
            yield self._run(self.start_at, self.end_at, IntervalKind.REPAIRED)
        else:
            yield from self._candle_runs(candles)

    def _candle_runs(self, candles: list[datetime]) -> Iterator[IntervalRun]:
        reached_at = self.start_at
        for first_at, last_at in _streaks(candles, timedelta(minutes=self.unit)):
            if first_at > reached_at:
                yield self._run(reached_at, first_at, IntervalKind.NO_TRADE)
            yield self._run(first_at, last_at, IntervalKind.CANDLE)
            reached_at = last_at
        if reached_at < self.end_at:
            yield self._run(reached_at, self.end_at, IntervalKind.NO_TRADE)

    def _run(self, start_at: datetime, end_at: datetime, kind: IntervalKind) -> IntervalRun:
        span, gap = self.span, self.gap
        return IntervalRun(
            market=self.market,
            unit=self.unit,
            start_at=start_at,
            end_at=end_at,
            kind=kind,
            method=span.method if span else "",
            first_proven_at=span.first_proven_at if span else None,
            last_proven_at=span.last_proven_at if span else None,
            cause=gap.cause if gap else "",
            found_at=gap.found_at if gap else None,
        )


def _pieces(
    market: str,
    unit: int,
    bounds: tuple[datetime, datetime],
    proven: list[Span],
    known: list[KnownGap],
) -> Iterator[_Piece]:
    edges = {at for span in proven for at in (span.start_at, span.end_at)}
    edges |= {at for gap in known for at in (gap.start_at, gap.end_at)}
    inner = sorted(at for at in edges if bounds[0] < at < bounds[1])
    for start_at, end_at in pairwise([bounds[0], *inner, bounds[1]]):
        yield _Piece(
            market, unit, start_at, end_at, _span_at(proven, start_at), _gap_at(known, start_at)
        )


def _span_at(spans: Sequence[Span], at: datetime) -> Span | None:
    return next((each for each in spans if each.start_at <= at < each.end_at), None)


def _gap_at(gaps: Sequence[KnownGap], at: datetime) -> KnownGap | None:
    return next((each for each in gaps if each.start_at <= at < each.end_at), None)


def _streaks(candles: Iterable[datetime], width: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """Yield [first, end) of every row of consecutive candles."""
    first_at = end_at = None
    for at in candles:
        if first_at is not None and end_at is not None and at != end_at:
            yield first_at, end_at
            first_at = at
        first_at = first_at or at
        end_at = at + width
    if first_at is not None and end_at is not None:
        yield first_at, end_at
