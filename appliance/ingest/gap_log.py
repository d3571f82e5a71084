"""Gaps on record: one row and one event when found, one event when all of it is repaired."""

from __future__ import annotations

from datetime import datetime

from appliance import clock, zone
from appliance.domain.candle import Gap
from appliance.domain.coverage import GapCause
from appliance.domain.event import EventKind, Severity
from appliance.ingest.intake import Intake
from store.coverage import gaps
from store.gaps import KnownGap, close_gap, open_gaps, record_gap


def note_gap(intake: Intake, start_at: datetime, end_at: datetime, cause: GapCause) -> None:
    """Put what is not yet on record of an unproven stretch there, with an event."""
    gap = Gap(intake.market, intake.unit, start_at, end_at)
    for found in record_gap(intake.session, gap, cause, clock.now()):
        missing = (found.end_at - found.start_at) // intake.width
        intake.record(
            EventKind.GAP_FOUND,
            f"{missing:,} candles unknown since {zone.utc_text(found.start_at)} ({cause.value})",
            Severity.WARNING,
            cause=cause.value,
            start_at=found.start_at.isoformat(),
            end_at=found.end_at.isoformat(),
            candles=missing,
        )


def settle_gaps(intake: Intake) -> None:
    """Close every gap on record of which nothing is unproven any more, with an event."""
    for gap in open_gaps(intake.session, intake.market, intake.unit):
        if gaps(intake.session, intake.market, intake.unit, gap.start_at, gap.end_at):
            continue
        closed = close_gap(intake.session, gap, clock.now())
        if closed is not None:
            _record_repair(intake, closed)


def _record_repair(intake: Intake, gap: KnownGap) -> None:
    intervals = (gap.end_at - gap.start_at) // intake.width
    intake.record(
        EventKind.GAP_REPAIRED,
        f"gap from {zone.utc_text(gap.start_at)} filled: {gap.candles:,} candles, "
        f"{intervals - gap.candles:,} of {intervals:,} intervals without a trade",
        cause=gap.cause,
        start_at=gap.start_at.isoformat(),
        end_at=gap.end_at.isoformat(),
        candles=gap.candles,
    )
