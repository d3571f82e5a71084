"""History of a given range on request: only what is not proven yet, newest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from appliance import clock, zone
from appliance.domain.candle import Gap
from appliance.domain.coverage import ProofMethod
from appliance.domain.event import EventKind
from appliance.ingest.gap_log import settle_gaps
from appliance.ingest.intake import Intake, floor_to
from appliance.ingest.keeper import Keeper, fill_span
from appliance.ingest.pages import Page
from store.coverage import gaps, proven_from

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

    def __str__(self) -> str:
        """Return `600 of 1,200 intervals (50.0 %), 1,990 candles/s, 3 s left`."""
        left = "" if self.seconds_left is None else f", {self.seconds_left:,.0f} s left"
        return (
            f"{self.done:,} of {self.wanted:,} intervals "
            f"({100 * self.done / max(self.wanted, 1):.1f} %), {self.rate:,.0f} candles/s{left}"
        )


@dataclass(frozen=True, slots=True)
class RangeResult:
    """What filling a range did.

    `end_at` is later than asked for where the range was extended to touch the proven history;
    `first_at` is set when the exchange has nothing before it.
    """

    start_at: datetime
    end_at: datetime
    fetched: int
    inserted: int
    first_at: datetime | None
    is_extended: bool = False


def fill_range(
    intake: Intake,
    start_at: datetime,
    end_at: datetime | None,
    progress: Callable[[RangeProgress], None],
) -> RangeResult:
    """Store and prove what is unproven of [start_at, end_at), None for up to the newest closed candle.

    The bounds are rounded down to the timeframe, and a candle that still forms is left out. A range that
    ends before the proven history is extended to touch it, so that no gap is left between.
    `progress` is called after every page; what it raises ends the run. Stored pages stay, and calling
    again continues.

    Raises:
        ExchangeRejected, ExchangeUnavailable, StoreUnavailable: see `backfill`.
    """
    closed_at = intake.closed_at()
    start_at = floor_to(start_at, intake.width)
    end_at = closed_at if end_at is None else min(closed_at, floor_to(end_at, intake.width))
    history_at = proven_from(intake.session, intake.market, intake.unit)
    is_extended = history_at is not None and start_at < end_at < history_at
    if is_extended and history_at is not None:
        end_at = history_at
    spans = gaps(intake.session, intake.market, intake.unit, start_at, end_at)
    run = _RangeRun(intake, spans, progress)
    try:
        first_at = run.fill()
    finally:
        run.record(end_at)
        settle_gaps(intake)
    return RangeResult(start_at, end_at, run.fetched, run.inserted, first_at, is_extended)


class _RangeRun:
    """One call of `fill_range`."""

    def __init__(
        self, intake: Intake, spans: Sequence[Gap], progress: Callable[[RangeProgress], None]
    ) -> None:
        self._intake = intake
        self._spans = spans
        self._progress = progress
        self._started = clock.monotonic()
        self._wanted = sum((span.end_at - span.start_at) // intake.width for span in spans)
        self._done = 0
        self._keeper = Keeper(intake, ProofMethod.BACKFILL)
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
                begins_at = fill_span(
                    self._keeper, self._intake, span.start_at, span.end_at, self._take
                )
                if begins_at is not None:
                    break
            else:
                begins_at = None
            self._keeper.flush()
        return begins_at

    def _take(self, page: Page) -> None:
        self._reached_at = page.start_at
        self.fetched += len(page.rows)
        self._done += (page.end_at - page.start_at) // self._intake.width
        seconds = clock.monotonic() - self._started
        self._progress(RangeProgress(self._done, self._wanted, self.fetched, seconds))

    def record(self, end_at: datetime) -> None:
        """Append an event when anything was fetched, also of a run that was interrupted."""
        if self._reached_at is None or not self.fetched:
            return
        self._intake.record(
            EventKind.BACKFILLED,
            f"{self.fetched:,} candles received, {self.inserted:,} new, from "
            f"{zone.utc_span(self._reached_at, end_at)}",
            inserted=self.inserted,
            seconds=round(clock.monotonic() - self._started, 1),
        )
