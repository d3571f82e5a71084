"""Closed candles from REST: from the watermark to the present, and into gaps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance.domain.candle import Gap
from appliance.domain.event import EventKind
from appliance.ingest.backfill import BackfillProgress, fill_history
from appliance.ingest.feed import Feed, floor_to, opens_at
from appliance.upbit.client import MAX_COUNT, UpbitClient
from store import Session
from store.candles import StoredCandles
from store.coverage import gaps, watermark
from store.events import read_events

OVERLAP_CANDLES = 3  # the newest rows of a reply have been seen to be late or corrected
GRACE = timedelta(seconds=1)
_OUTAGE_CANDLES = 3  # a watermark further behind than this was an interruption, not latency
_RECENT_EVENTS = 200
_FORWARD_CANDLES = MAX_COUNT - 10  # a page on the way ends well before the forming candle


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What one synchronisation did; `watermark_at` is the end of what is proven now."""

    fetched: int
    inserted: int
    corrected: int
    watermark_at: datetime | None


def synchronise(
    session: Session, client: UpbitClient, market: str, unit: int, *, source_id: str
) -> SyncResult:
    """Store every candle that has closed since the watermark, and three before it once more.

    A candle counts as closed one second after its end, or when a later one exists. Intervals without
    a trade are proven with the rest. On an empty store only the newest page is fetched.

    Raises:
        UpbitRejected: the market does not exist.
        UpbitUnavailable, StoreUnavailable: nothing after the last proven page was changed.
    """
    return catch_up_quietly(Feed(session, client, market, unit, source_id))


def bring_up_to_date(
    session: Session,
    client: UpbitClient,
    market: str,
    unit: int,
    *,
    source_id: str,
    history_candles: int,
    actor: str = "ingestor",
    progress: Callable[[BackfillProgress], None] = lambda _progress: None,
) -> SyncResult:
    """Catch up, repair gaps and fill history until `history_candles` are stored.

    Raises:
        UpbitRejected: the market does not exist.
        UpbitUnavailable, StoreUnavailable: stored pages stay; calling again continues.
    """
    feed = Feed(session, client, market, unit, source_id, actor)
    newest = catch_up(feed)
    repaired = repair_gaps(feed)
    filled = fill_history(feed, history_candles, progress)
    return SyncResult(
        fetched=newest.fetched + repaired.fetched + filled.fetched,
        inserted=newest.inserted + repaired.inserted + filled.inserted,
        corrected=newest.corrected + repaired.corrected,
        watermark_at=newest.watermark_at,
    )


def catch_up(feed: Feed) -> SyncResult:
    """Synchronise, and record an interruption that was long enough to leave a gap."""
    proven_at = watermark(feed.session, feed.market, feed.unit)
    if proven_at is None:
        return catch_up_quietly(feed)
    expected_at = floor_to(feed.client.exchange_now(), feed.width)
    if _is_outage(feed, proven_at, expected_at):
        _record_gap(feed, Gap(feed.market, feed.unit, proven_at, expected_at))
    result = catch_up_quietly(feed)
    reached_at = result.watermark_at or proven_at
    if _is_outage(feed, proven_at, reached_at):
        _record_gap(feed, Gap(feed.market, feed.unit, proven_at, reached_at))
        _record_repair(feed, proven_at, reached_at, result.inserted)
    return result


def _is_outage(feed: Feed, proven_at: datetime, until_at: datetime) -> bool:
    return until_at - proven_at >= _OUTAGE_CANDLES * feed.width


def repair_gaps(feed: Feed) -> SyncResult:
    """Fetch what is missing between proven spans; `fetched` is 0 when nothing is."""
    totals = _Totals()
    for gap in gaps(feed.session, feed.market, feed.unit):
        _record_gap(feed, gap)
        before = totals.inserted
        end_at = gap.end_at
        while end_at > gap.start_at:
            rows = feed.page(end_at, MAX_COUNT)
            totals.add(len(rows), feed.store(rows))
            reached_at = opens_at(rows[-1]) if len(rows) == MAX_COUNT else gap.start_at
            reached_at = min(reached_at, end_at - feed.width)  # whatever the reply, go back
            feed.prove(max(reached_at, gap.start_at), end_at)
            end_at = reached_at
        _record_repair(feed, gap.start_at, gap.end_at, totals.inserted - before)
    return totals.result(watermark(feed.session, feed.market, feed.unit))


@dataclass(slots=True)
class _Totals:
    fetched: int = 0
    inserted: int = 0
    corrected: int = 0

    def add(self, fetched: int, stored: StoredCandles) -> None:
        self.fetched += fetched
        self.inserted += stored.inserted
        self.corrected += stored.corrected

    def result(self, watermark_at: datetime | None) -> SyncResult:
        return SyncResult(self.fetched, self.inserted, self.corrected, watermark_at)


def catch_up_quietly(feed: Feed) -> SyncResult:
    """Run `synchronise` for a feed, without events."""
    totals = _Totals()
    proven_at = watermark(feed.session, feed.market, feed.unit)
    if proven_at is None:
        _newest_page(feed, totals, None, MAX_COUNT)
        return totals.result(watermark(feed.session, feed.market, feed.unit))
    start_at = proven_at - OVERLAP_CANDLES * feed.width
    newest_at: datetime | None = start_at
    # Oldest first, so that the watermark only ever moves over what is stored.
    while newest_at is not None:
        needed = _candles_until_now(feed, start_at, newest_at)
        if needed > MAX_COUNT:
            end_at = start_at + _FORWARD_CANDLES * feed.width
            rows = feed.page(end_at, MAX_COUNT)
            totals.add(len(rows), feed.store(rows))
            feed.prove(start_at, end_at)
            start_at = end_at
        else:
            newest_at = _newest_page(feed, totals, start_at, needed)
    return totals.result(watermark(feed.session, feed.market, feed.unit))


def _newest_page(
    feed: Feed, totals: _Totals, start_at: datetime | None, count: int
) -> datetime | None:
    """Store the newest page, and prove it from `start_at` on when it reaches back that far.

    Returns None when it did; otherwise the exchange is further ahead than its last reply let expect
    (this machine slept), and the newest opening time is returned.
    """
    rows = feed.page(None, count)
    end_at = floor_to(feed.client.exchange_now() - GRACE, feed.width)
    if rows:
        end_at = max(end_at, opens_at(rows[0]))
    closed = [row for row in rows if opens_at(row) < end_at]
    totals.add(len(closed), feed.store(closed))
    if start_at is None and closed:
        start_at = opens_at(closed[-1])
    if start_at is None:
        return None
    if len(rows) == count and opens_at(rows[-1]) > start_at:
        return opens_at(rows[0])
    feed.prove(start_at, end_at)
    return None


def _candles_until_now(feed: Feed, start_at: datetime, newest_at: datetime) -> int:
    """Return how many rows reach from now back to `start_at`, the forming candle included."""
    now = max(feed.client.exchange_now(), newest_at)
    return max(OVERLAP_CANDLES, (now - start_at) // feed.width) + 2


def _record_gap(feed: Feed, gap: Gap) -> None:
    """Append one event per gap, however often its repair is tried."""
    start = gap.start_at.isoformat()
    recent = read_events(feed.session, limit=_RECENT_EVENTS, kinds=[EventKind.GAP_FOUND])
    mine = {"market": feed.market, "unit": feed.unit, "start_at": start}
    if any(mine.items() <= event.details.items() for event in recent):
        return
    missing = (gap.end_at - gap.start_at) // feed.width
    feed.record(
        EventKind.GAP_FOUND,
        f"{missing:,} candles unknown since {gap.start_at:%Y-%m-%d %H:%M} UTC",
        start_at=start,
        end_at=gap.end_at.isoformat(),
        candles=missing,
    )


def _record_repair(feed: Feed, start_at: datetime, end_at: datetime, inserted: int) -> None:
    intervals = (end_at - start_at) // feed.width
    feed.record(
        EventKind.GAP_REPAIRED,
        f"gap from {start_at:%Y-%m-%d %H:%M} UTC filled: {inserted:,} candles, "
        f"{max(0, intervals - inserted):,} of {intervals:,} intervals without a trade",
        start_at=start_at.isoformat(),
        end_at=end_at.isoformat(),
        candles=inserted,
    )
