"""History of a given range on request: only what is not proven yet, newest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from appliance import clock
from appliance.domain.candle import Gap
from appliance.domain.event import EventKind
from appliance.ingest.backfill import Keeper
from appliance.ingest.feed import Feed, floor_to
from appliance.ingest.pages import PagesBack
from appliance.ingest.reconcile import GRACE
from store.coverage import unproven_spans

_SHORTEST_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class RangeProgress:
    """How far a range is: intervals done of those wanted, candles received, seconds so far."""

    done: int
    wanted: int
    fetched: int
    seconds: float

    @property
    def rate(self) -> float:
        """Candles received a second."""
        return self.fetched / max(self.seconds, _SHORTEST_SECONDS)

    @property
    def seconds_left(self) -> float | None:
        """Estimate from the present pace; None before anything is done."""
        return (self.wanted - self.done) * self.seconds / self.done if self.done else None


@dataclass(frozen=True, slots=True)
class RangeResult:
    """What filling a range did; `first_at` is set when the exchange has nothing before it."""

    start_at: datetime
    end_at: datetime
    fetched: int
    inserted: int
    first_at: datetime | None


def fill_range(
    feed: Feed,
    start_at: datetime,
    end_at: datetime | None,
    progress: Callable[[RangeProgress], None],
) -> RangeResult:
    """Store and prove what is unproven of [start_at, end_at), None for up to the newest closed candle.

    The bounds are rounded down to the timeframe, and a candle that still forms is left out.
    `progress` is called after every page; what it raises ends the run. Stored pages stay, and calling
    again continues.

    Raises:
        UpbitRejected, UpbitUnavailable, StoreUnavailable: see `backfill`.
    """
    closed_at = floor_to(feed.client.exchange_now() - GRACE, feed.width)
    start_at = floor_to(start_at, feed.width)
    end_at = closed_at if end_at is None else min(closed_at, floor_to(end_at, feed.width))
    spans = unproven_spans(feed.session, feed.market, feed.unit, start_at, end_at)
    run = _RangeRun(feed, spans, progress)
    try:
        first_at = run.fill()
    finally:
        run.record(end_at)
    return RangeResult(start_at, end_at, run.fetched, run.inserted, first_at)


class _RangeRun:
    """One call of `fill_range`."""

    def __init__(
        self, feed: Feed, spans: Sequence[Gap], progress: Callable[[RangeProgress], None]
    ) -> None:
        self._feed = feed
        self._spans = spans
        self._progress = progress
        self._started = clock.monotonic()
        self._wanted = sum((span.end_at - span.start_at) // feed.width for span in spans)
        self._done = 0
        self._keeper = Keeper(feed)
        self._reached_at: datetime | None = None
        self.fetched = 0

    @property
    def inserted(self) -> int:
        """Candles that were new."""
        return self._keeper.inserted

    def fill(self) -> datetime | None:
        """Fill the spans; return where the exchange's history begins when it was reached."""
        with self._keeper:
            for span in reversed(self._spans):
                if self._fill(span):
                    self._keeper.flush()
                    return self._reached_at or span.end_at
            self._keeper.flush()
        return None

    def _fill(self, span: Gap) -> bool:
        """Fill one span; return whether the exchange has nothing before what was received."""
        before = self._done
        pages = PagesBack(self._feed, span.end_at, span.start_at, lambda _in_flight: True)
        with closing(iter(pages)) as ordered:
            for page in ordered:
                self._keeper.keep(page)
                self._reached_at = page.start_at
                self.fetched += len(page.rows)
                self._done = before + (span.end_at - page.start_at) // self._feed.width
                self._show()
        return pages.is_exhausted

    def _show(self) -> None:
        seconds = clock.monotonic() - self._started
        self._progress(RangeProgress(self._done, self._wanted, self.fetched, seconds))

    def record(self, end_at: datetime) -> None:
        """Append an event when anything was fetched, also of a run that was interrupted."""
        if self._reached_at is None or not self.fetched:
            return
        self._feed.record(
            EventKind.BACKFILLED,
            f"{self.fetched:,} candles received, {self.inserted:,} new, from "
            f"{self._reached_at:%Y-%m-%d %H:%M} to {end_at:%Y-%m-%d %H:%M} UTC",
            inserted=self.inserted,
            seconds=round(clock.monotonic() - self._started, 1),
        )
