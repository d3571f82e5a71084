"""Stored candles against REST once more: what differs is corrected, what was wrong is on record.

An interval that the audit finds wrong is `repaired` in the ledger from then on, with the audit as its
cause. A stored candle that the exchange does not list is removed only when a second look agrees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from appliance import clock
from appliance.domain.candle import Gap, RawCandle
from appliance.domain.coverage import GapCause, ProofMethod
from appliance.domain.event import EventKind, Severity
from appliance.ingest.gap_log import settle_gaps
from appliance.ingest.intake import Intake, floor_to
from appliance.ingest.pages import Page, PagesBack
from appliance.ingest.reconcile import OVERLAP_CANDLES
from store.audits import Audit, audited_until, write_audit
from store.candles import read_candles, remove_candles
from store.coverage import gaps, proven_from, proven_until, spans
from store.gaps import close_gap, record_gap

if TYPE_CHECKING:
    from store.candles import StoredCandles

LONGEST_WINDOW = timedelta(days=7)
_OVERDUE = timedelta(days=1)
_Values = list[float]


@dataclass(frozen=True, slots=True)
class AuditProgress:
    """How far an audit is: intervals compared of those wanted, seconds so far."""

    checked: int
    wanted: int
    seconds: float

    @property
    def is_done(self) -> bool:
        """Whether nothing is left."""
        return self.checked >= self.wanted

    @property
    def seconds_left(self) -> float | None:
        """Estimate from the present pace; None before anything is done."""
        left = self.wanted - self.checked
        return left * self.seconds / self.checked if self.checked else None

    def __str__(self) -> str:
        """Return `audit: 1,000 of 1,440 intervals, 3 s left`."""
        left = "" if self.seconds_left is None else f", {self.seconds_left:,.0f} s left"
        return f"audit: {self.checked:,} of {self.wanted:,} intervals{left}"


def due_window(intake: Intake) -> tuple[datetime, datetime] | None:
    """Return what the nightly audit has to compare, None when the last one is less than a day old.

    That is everything since the last audit, at most seven days. A new history counts as audited when
    it was fetched.
    """
    first_at = proven_from(intake.session, intake.market, intake.unit)
    end_at = _audit_end(intake)
    if first_at is None or end_at is None:
        return None
    audited_at = audited_until(intake.session, intake.market, intake.unit)
    since_at = audited_at or max(first_at, end_at - LONGEST_WINDOW)
    is_due = end_at - since_at >= _OVERDUE - timedelta(hours=1)
    if not is_due or (audited_at is None and not _is_older_than_a_day(intake, end_at)):
        return None
    return max(since_at, first_at, end_at - LONGEST_WINDOW), end_at


def settled_window(
    intake: Intake, start_at: datetime | None, end_at: datetime | None
) -> tuple[datetime, datetime] | None:
    """Return what lies between the bounds of what is proven and has settled; None when nothing does.

    Without a lower bound it is the newest seven days.
    """
    first_at = proven_from(intake.session, intake.market, intake.unit)
    settled_at = _audit_end(intake)
    if first_at is None or settled_at is None:
        return None
    upper_at = settled_at if end_at is None else min(settled_at, end_at)
    lower_at = max(first_at, upper_at - LONGEST_WINDOW if start_at is None else start_at)
    return (lower_at, upper_at) if lower_at < upper_at else None


def audit(
    intake: Intake,
    start_at: datetime,
    end_at: datetime,
    progress: Callable[[AuditProgress], None] = lambda _progress: None,
) -> Audit:
    """Compare [start_at, end_at) with the exchange, correct what differs, and record it.

    The bounds are rounded down to the timeframe. `progress` is called after every page; what it raises
    ends the audit: corrections stay, and no audit is recorded.

    Raises:
        ExchangeRejected, ExchangeUnavailable, StoreUnavailable: likewise.
    """
    start_at, end_at = floor_to(start_at, intake.width), floor_to(end_at, intake.width)
    run = _Run(intake, start_at, end_at)
    pages = PagesBack(intake, end_at, start_at, lambda _in_flight: True)
    with closing(iter(pages)) as ordered:
        for page in ordered:
            run.compare(page)
            progress(run.progress())
    if pages.reached_at > start_at:  # nothing was traded before, on a market that began later
        run.compare(Page([], start_at, pages.reached_at))
    settle_gaps(intake)
    return run.record()


class _Run:
    """One audit."""

    def __init__(self, intake: Intake, start_at: datetime, end_at: datetime) -> None:
        self._intake = intake
        self._start_at = start_at
        self._end_at = end_at
        self._started = clock.monotonic()
        self._checked = self._corrected = self._recovered = self._removed = 0

    def compare(self, page: Page) -> None:
        """Bring what is stored of a page's span in line with the page."""
        intake = self._intake
        stored = _stored(intake, page.start_at, page.end_at)
        listed = {row.opens_at: row for row in page.rows}
        different = [
            row for at, row in listed.items() if at in stored and _values(row) != stored[at]
        ]
        absent = [row for at, row in listed.items() if at not in stored]
        unlisted = self._still_unlisted(page, [at for at in stored if at not in listed])
        unproven = gaps(intake.session, intake.market, intake.unit, page.start_at, page.end_at)
        kept = self._correct([*different, *absent], (page.start_at, page.end_at))
        remove_candles(intake.session, intake.market, intake.unit, unlisted)
        wrong = [row.opens_at for row in (*different, *absent)] + unlisted
        self._remember(at for at in wrong if not _is_inside(at, unproven))
        self._checked += (page.end_at - page.start_at) // intake.width
        self._corrected += kept.corrected
        self._recovered += kept.inserted
        self._removed += len(unlisted)

    def progress(self) -> AuditProgress:
        """Return how far it is."""
        wanted = (self._end_at - self._start_at) // self._intake.width
        return AuditProgress(self._checked, wanted, clock.monotonic() - self._started)

    def record(self) -> Audit:
        """Store the result, and an event."""
        intake, now = self._intake, clock.now()
        done = Audit(
            intake.market,
            intake.unit,
            self._start_at,
            self._end_at,
            now,
            self._checked,
            self._corrected,
            self._recovered,
            self._removed,
        )
        write_audit(intake.session, done)
        changed = done.corrected + done.recovered + done.removed
        intake.record(
            EventKind.AUDITED,
            f"audit of {done.checked:,} intervals: {done.corrected:,} corrected, "
            f"{done.recovered:,} recovered, {done.removed:,} removed",
            Severity.WARNING if changed else Severity.INFO,
            start_at=done.start_at.isoformat(),
            end_at=done.end_at.isoformat(),
            checked=done.checked,
            corrected=done.corrected,
            recovered=done.recovered,
            removed=done.removed,
        )
        return done

    def _correct(self, rows: Sequence[RawCandle], span: tuple[datetime, datetime]) -> StoredCandles:
        newest_first = sorted(rows, key=lambda row: row.opens_at, reverse=True)
        return self._intake.keep(newest_first, [span], ProofMethod.AUDIT)

    def _still_unlisted(self, page: Page, suspects: Sequence[datetime]) -> list[datetime]:
        """Return which stored candles a second look, page by page, does not find either."""
        listed: set[datetime] = set()
        to = page.end_at
        while suspects and to > page.start_at:
            rows = self._intake.page(to, self._intake.page_size, is_bulk=True)
            listed |= {row.opens_at for row in rows}
            if not rows or rows[-1].opens_at >= to:
                break
            to = rows[-1].opens_at
        return [at for at in suspects if at not in listed]

    def _remember(self, wrong: Iterable[datetime]) -> None:
        """Put intervals on record that were classified wrong until now."""
        intake, now = self._intake, clock.now()
        for at in wrong:
            gap = Gap(intake.market, intake.unit, at, at + intake.width)
            for found in record_gap(intake.session, gap, GapCause.AUDIT, now):
                close_gap(intake.session, found, now)


def _audit_end(intake: Intake) -> datetime | None:
    """Return up to where an audit reaches: confirmations read what is newer again by themselves."""
    proven_at = proven_until(intake.session, intake.market, intake.unit)
    return None if proven_at is None else proven_at - OVERLAP_CANDLES * intake.width


def _is_older_than_a_day(intake: Intake, end_at: datetime) -> bool:
    """Whether the newest backfilled page is a day behind, so that a day came in live."""
    newest = spans(intake.session, intake.market, intake.unit, end_at - _OVERDUE, end_at)
    return all(span.method != ProofMethod.BACKFILL for span in newest)


def _stored(intake: Intake, start_at: datetime, end_at: datetime) -> dict[datetime, _Values]:
    table = read_candles(intake.session, intake.market, intake.unit, start_at, end_at)
    names = ("candle_date_time_utc", "open", "high", "low", "close", "volume", "value")
    rows = zip(*(table.column(name).to_pylist() for name in names), strict=True)
    return {at: values for at, *values in rows}


def _values(row: RawCandle) -> _Values:
    return [
        row.opening_price,
        row.high_price,
        row.low_price,
        row.trade_price,
        row.candle_acc_trade_volume,
        row.candle_acc_trade_price,
    ]


def _is_inside(at: datetime, spans: Sequence[Gap]) -> bool:
    return any(span.start_at <= at < span.end_at for span in spans)
