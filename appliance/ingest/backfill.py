"""History, newest first, as fast as the exchange's limit allows.

Several requests are in flight while a thread stores what has arrived, in order and in batches; a span
is proven in the transaction that stores its candles. A kill at any point leaves what is proven complete, and
the next run continues there.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from appliance import clock, zone
from appliance.domain.coverage import ProofMethod
from appliance.domain.event import EventKind
from appliance.exchange.port import Exchange
from appliance.ingest.intake import Intake
from appliance.ingest.keeper import Keeper
from appliance.ingest.pages import PagesBack
from store import Session
from store.candles import count_candles
from store.coverage import proven_from


@dataclass(frozen=True, slots=True)
class BackfillProgress:
    """How far a backfill is; `rate` in requests a second, `page_size` in candles a request."""

    stored: int
    wanted: int
    rate: float
    page_size: int

    @property
    def seconds_left(self) -> float:
        """Estimate from the present rate."""
        return max(0, self.wanted - self.stored) / self.page_size / max(self.rate, 0.1)

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
    client: Exchange,
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
        ExchangeRejected, ExchangeUnavailable, StoreUnavailable: stored pages stay; calling again continues.
    """
    return fill_history(Intake(session, client, market, unit, source_id), until_count, progress)


def fill_history(
    intake: Intake, until_count: int, progress: Callable[[BackfillProgress], None]
) -> BackfillResult:
    """Run `backfill` for a feed and record it as an event when it fetched anything."""
    reached_at = proven_from(intake.session, intake.market, intake.unit)
    stored = count_candles(intake.session, intake.market, intake.unit)
    if reached_at is None or stored >= until_count:
        return BackfillResult(0, 0, is_complete=True)
    run = _Run(intake, until_count, progress, stored)
    is_complete = run.fill(reached_at)
    if run.fetched:
        intake.record(
            EventKind.BACKFILLED,
            f"{run.stored:,} candles stored, {run.stored - stored:,} new, back to "
            f"{zone.utc_text(run.reached_at)}"
            + ("" if is_complete else "; the exchange has none before that"),
            stored=run.stored,
            seconds=round(run.elapsed, 1),
        )
    return BackfillResult(run.fetched, run.stored - stored, is_complete)


class _Run:
    """One backfill up to a count."""

    def __init__(
        self,
        intake: Intake,
        until_count: int,
        progress: Callable[[BackfillProgress], None],
        stored: int,
    ) -> None:
        self._intake = intake
        self._until_count = until_count
        self._progress = progress
        self._started = clock.monotonic()
        self._stored_before = stored
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
        self.reached_at = end_at
        is_exhausted = False
        with Keeper(self._intake, ProofMethod.BACKFILL) as keeper:
            while self.stored < self._until_count and not is_exhausted:
                is_exhausted = self._fetch(keeper)
                keeper.flush()
                self._show(keeper)
        return self.stored >= self._until_count

    def _fetch(self, keeper: Keeper) -> bool:
        """Fetch what the count is expected to need; return whether the exchange has no more."""

        def is_wanted(in_flight: int) -> bool:
            expected = self._stored_before + keeper.inserted + keeper.unstored
            return expected + in_flight * self._intake.page_size < self._until_count

        before = self.requests
        pages = PagesBack(self._intake, self.reached_at, None, is_wanted)
        with closing(iter(pages)) as ordered:
            for page in ordered:
                keeper.keep(page)
                self.reached_at = page.start_at
                self.fetched += len(page.rows)
                self.requests = before + pages.requests
                self._show(keeper)
        return pages.is_exhausted

    def _show(self, keeper: Keeper) -> None:
        self.stored = self._stored_before + keeper.inserted
        rate = self.requests / max(self.elapsed, 0.5)
        self._progress(
            BackfillProgress(self.stored, self._until_count, rate, self._intake.page_size)
        )
