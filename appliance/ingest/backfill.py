"""History, newest first, in pages of 200; a kill at any point costs one page at most."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from appliance import clock
from appliance.domain.candle import RawCandle
from appliance.domain.event import EventKind
from appliance.ingest.feed import Feed, opens_at
from appliance.upbit.client import MAX_COUNT, UpbitClient
from store import Session
from store.candles import count_candles
from store.coverage import proven_from


@dataclass(frozen=True, slots=True)
class BackfillProgress:
    """How far a backfill is; `rate` in requests a second."""

    stored: int
    wanted: int
    rate: float

    @property
    def seconds_left(self) -> float:
        """Estimate from the present rate."""
        return max(0, self.wanted - self.stored) / MAX_COUNT / max(self.rate, 0.1)

    def __str__(self) -> str:
        """Return `12,000 of 20,000 candles, 9.8 requests/s, 4 s left`."""
        return (
            f"{self.stored:,} of {self.wanted:,} candles, {self.rate:.1f} requests/s, "
            f"{self.seconds_left:.0f} s left"
        )


@dataclass(frozen=True, slots=True)
class BackfillResult:
    """What a backfill did; `is_complete` False means that the exchange has no older candles."""

    fetched: int
    inserted: int
    is_complete: bool


def backfill(
    session: Session,
    client: UpbitClient,
    market: str,
    unit: int,
    *,
    source_id: str,
    until_count: int,
    progress: Callable[[BackfillProgress], None] = lambda _progress: None,
) -> BackfillResult:
    """Fetch older candles until `until_count` are stored or the exchange has no more.

    Continues where the stored history ends; needs at least one proven span, see `synchronise`.
    `progress` is called after every page; what it raises ends the backfill.

    Raises:
        UpbitRejected, UpbitUnavailable, StoreUnavailable: stored pages stay; calling again continues.
    """
    return fill_history(Feed(session, client, market, unit, source_id), until_count, progress)


def fill_history(
    feed: Feed, until_count: int, progress: Callable[[BackfillProgress], None]
) -> BackfillResult:
    """Run `backfill` for a feed and record it as an event when it fetched anything."""
    reached_at = proven_from(feed.session, feed.market, feed.unit)
    stored = count_candles(feed.session, feed.market, feed.unit)
    if reached_at is None or stored >= until_count:
        return BackfillResult(0, 0, is_complete=True)
    run = _Run(feed, until_count, progress, stored)
    is_complete = run.fill(reached_at)
    if run.fetched:
        feed.record(
            EventKind.BACKFILLED,
            f"{run.stored:,} candles stored, {run.stored - stored:,} new, back to "
            f"{run.reached_at:%Y-%m-%d %H:%M} UTC"
            + ("" if is_complete else "; the exchange has none before that"),
            stored=run.stored,
            seconds=round(run.elapsed, 1),
        )
    return BackfillResult(run.fetched, run.stored - stored, is_complete)


class _Run:
    """One backfill; a page is stored and proven while the next one is fetched."""

    def __init__(
        self,
        feed: Feed,
        until_count: int,
        progress: Callable[[BackfillProgress], None],
        stored: int,
    ) -> None:
        self._feed = feed
        self._until_count = until_count
        self._progress = progress
        self._started = clock.monotonic()
        self.fetched = 0
        self.requests = 0
        self.stored = stored
        self.reached_at = clock.now()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return clock.monotonic() - self._started

    def fill(self, end_at: datetime) -> bool:
        """Fetch back from `end_at`; return whether the wanted count was reached."""
        pending: Future[None] | None = None
        self.reached_at = end_at
        with ThreadPoolExecutor(1, "backfill-store") as writer:
            while self.stored + self._in_flight(pending) < self._until_count:
                rows = self._feed.page(self.reached_at, MAX_COUNT)
                self.requests += 1
                if pending is not None:
                    pending.result()
                if not rows or opens_at(rows[-1]) >= self.reached_at:
                    return False
                start_at, before_at = opens_at(rows[-1]), self.reached_at
                pending = writer.submit(self._keep, rows, start_at, before_at)
                self.reached_at = start_at
                self.fetched += len(rows)
                self._progress(self._position())
            if pending is not None:
                pending.result()
        self._progress(self._position())
        return True

    def _keep(self, rows: list[RawCandle], start_at: datetime, end_at: datetime) -> None:
        self.stored += self._feed.store(rows).inserted
        self._feed.prove(start_at, end_at)

    def _in_flight(self, pending: Future[None] | None) -> int:
        """Return the candles of the page that is being stored, so that none too many are fetched."""
        return 0 if pending is None or pending.done() else MAX_COUNT

    def _position(self) -> BackfillProgress:
        rate = self.requests / max(self.elapsed, 0.5)
        return BackfillProgress(self.stored, self._until_count, rate)
