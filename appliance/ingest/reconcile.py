"""Closed candles from REST: the newest page first, then what lies between it and the proven history.

When is an interval proven? The reply of a request after its close says so, with three exceptions, as
REST has been seen to list closed candles late:

- an interval whose candle the stream has shown is never taken for one without a trade;
- absent intervals at the end of a reply, with no later candle behind them, need a second look ten
  seconds after their close;
- every confirmation reads the newest 15 closed candles again, an hourly one a whole page, the audit all: what
  comes or changes late wins.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from appliance import zone
from appliance.domain.candle import RawCandle
from appliance.domain.coverage import GapCause, ProofMethod
from appliance.domain.origin import Origin
from appliance.exchange.port import Exchange
from appliance.ingest.backfill import BackfillProgress, fill_history
from appliance.ingest.gap_log import note_gap, settle_gaps
from appliance.ingest.intake import Intake
from appliance.ingest.keeper import Keeper, fill_span
from store import Session
from store.candles import count_between
from store.coverage import gaps, proven_from, proven_until, watermark

OVERLAP_CANDLES = 15
SECOND_LOOK_SECONDS = 10.0
_OUTAGE_CANDLES = 3  # a proven end further behind than this was an interruption, not latency
_OUTAGE_SECONDS = 30.0  # of our time, which counts when the exchange's runs fast
_LONGEST_WAIT = timedelta(minutes=10)  # for REST to list what the stream has shown


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What one synchronisation did.

    `watermark_at` is where the first gap begins; `proven_until_at` the newest proven end; `look_again`
    says that the newest closed intervals are not proven yet; `has_gap` that something between is not.
    """

    fetched: int
    inserted: int
    corrected: int
    watermark_at: datetime | None
    proven_until_at: datetime | None = None
    look_again: bool = False
    has_gap: bool = False


def synchronise(
    session: Session, client: Exchange, market: str, unit: int, *, source_id: str
) -> SyncResult:
    """Store what has closed since the newest proven end, and the newest candles before it once more.

    On an empty store only the newest page is fetched.

    Raises:
        ExchangeRejected: the market does not exist.
        ExchangeUnavailable, StoreUnavailable: stored pages stay; calling again continues.
    """
    intake = Intake(session, client, market, unit, source_id)
    result = confirm(intake, GapCause.RESTART)
    if not result.has_gap:
        return result
    repaired = repair_gaps(intake)
    return replace(
        result,
        fetched=result.fetched + repaired.fetched,
        inserted=result.inserted + repaired.inserted,
        watermark_at=repaired.watermark_at,
    )


def bring_up_to_date(
    session: Session,
    client: Exchange,
    market: str,
    unit: int,
    *,
    source_id: str,
    history_candles: int,
    origin: Origin | None = None,
    progress: Callable[[BackfillProgress], None] = lambda _progress: None,
) -> SyncResult:
    """Catch up, repair gaps and fill history until `history_candles` are stored.

    Raises:
        ExchangeRejected: the market does not exist.
        ExchangeUnavailable, StoreUnavailable: stored pages stay; calling again continues.
    """
    intake = Intake(session, client, market, unit, source_id, origin)
    newest = confirm(intake, GapCause.RESTART)
    repaired = repair_gaps(intake)
    filled = fill_history(intake, history_candles, progress)
    return SyncResult(
        fetched=newest.fetched + repaired.fetched + filled.fetched,
        inserted=newest.inserted + repaired.inserted + filled.inserted,
        corrected=newest.corrected,
        watermark_at=watermark(session, market, unit),
        proven_until_at=newest.proven_until_at,
    )


def confirm(
    intake: Intake,
    cause: GapCause,
    streamed: Collection[datetime] = (),
    overlap: int = OVERLAP_CANDLES,
) -> SyncResult:
    """Store the newest closed candles and prove what their page shows; an interruption is a gap.

    Args:
        intake: what to confirm.
        cause: why a stretch that was not proven in time was not.
        streamed: opening times of candles that the stream has shown lately.
        overlap: how many proven candles to read again.
    """
    proven_at = proven_until(intake.session, intake.market, intake.unit)
    count = _wanted(intake, proven_at, overlap)
    rows = intake.page(None, count)
    end_at = _closed_end(intake, rows)
    settled_at = _settled_end(intake, rows, end_at, _after(streamed, proven_at))
    closed = [row for row in rows if row.opens_at < end_at]
    start_at = _reached(intake, rows, closed, count, proven_at)
    is_late = proven_at is not None and _is_outage(intake, proven_at, settled_at)
    if is_late and proven_at is not None:
        note_gap(intake, proven_at, settled_at, cause)
    spans = [] if start_at is None else [(start_at, settled_at)]
    stored = intake.keep(closed, spans, _method(proven_at, is_late))
    if is_late:
        settle_gaps(intake)
    return SyncResult(
        fetched=len(closed),
        inserted=stored.inserted,
        corrected=stored.corrected,
        watermark_at=watermark(intake.session, intake.market, intake.unit),
        proven_until_at=proven_until(intake.session, intake.market, intake.unit),
        look_again=settled_at < end_at,
        has_gap=proven_at is not None and start_at is not None and start_at > proven_at,
    )


def repair_gaps(intake: Intake, on_gap: Callable[[str], None] = lambda _words: None) -> SyncResult:
    """Fetch what is missing between proven spans, newest first; `fetched` is 0 when nothing is."""
    fetched = inserted = 0
    until_at = proven_until(intake.session, intake.market, intake.unit)
    for gap in reversed(gaps(intake.session, intake.market, intake.unit, end_at=until_at)):
        note_gap(intake, gap.start_at, gap.end_at, GapCause.RESTART)
        on_gap(f"repairing {zone.utc_span(gap.start_at, gap.end_at)}")
        with Keeper(intake, ProofMethod.REPAIR) as keeper:
            begins_at = fill_span(keeper, intake, gap.start_at, gap.end_at)
            keeper.flush()
        if begins_at is not None:  # nothing was traded before, and so not in the gap either
            intake.keep([], [(gap.start_at, begins_at)], ProofMethod.REPAIR)
        fetched += keeper.handed
        inserted += keeper.inserted
    settle_gaps(intake)
    reached_at = watermark(intake.session, intake.market, intake.unit)
    return SyncResult(fetched, inserted, 0, reached_at, until_at)


def _wanted(intake: Intake, proven_at: datetime | None, overlap: int) -> int:
    """Return how many rows reach from now back over the overlap, the forming candle included."""
    if proven_at is None:
        return intake.page_size
    begins_at = proven_from(intake.session, intake.market, intake.unit) or proven_at
    since = intake.client.exchange_now() - max(proven_at - overlap * intake.width, begins_at)
    return int(min(intake.page_size, max(since // intake.width, 0) + 2))


def _closed_end(intake: Intake, rows: Sequence[RawCandle]) -> datetime:
    """Return up to where candles are closed: a candle is when a later one exists, or by the clock."""
    end_at = intake.closed_at()
    return max(end_at, rows[0].opens_at) if rows else end_at


def _settled_end(
    intake: Intake, rows: Sequence[RawCandle], end_at: datetime, streamed: Collection[datetime]
) -> datetime:
    """Return up to where absence in this reply means that nobody traded."""
    now = intake.client.exchange_now()
    listed = {row.opens_at for row in rows}
    patience = max(_LONGEST_WAIT, intake.real(3 * SECOND_LOOK_SECONDS))
    shown = [at for at in streamed if now - patience < at < end_at and at not in listed]
    newest_end_at = max(listed, default=end_at - intake.page_size * intake.width) + intake.width
    looked_at = now - intake.real(SECOND_LOOK_SECONDS)
    tail_at = max(newest_end_at, looked_at - (looked_at - newest_end_at) % intake.width)
    return min([end_at, tail_at, *shown])


def _after(streamed: Collection[datetime], proven_at: datetime | None) -> list[datetime]:
    return [at for at in streamed if proven_at is None or at >= proven_at]


def _reached(
    intake: Intake,
    rows: Sequence[RawCandle],
    closed: Sequence[RawCandle],
    count: int,
    proven_at: datetime | None,
) -> datetime | None:
    """Return from where the page proves; None when it shows nothing."""
    if proven_at is None:
        return closed[-1].opens_at if closed else None
    if not rows or rows[-1].opens_at <= proven_at:
        return proven_at
    # Fewer rows than asked for mean the beginning of history, unless an older candle is stored.
    first_at = rows[-1].opens_at
    begins_at = proven_from(intake.session, intake.market, intake.unit) or first_at
    is_first = not count_between(intake.session, intake.market, intake.unit, begins_at, first_at)
    return proven_at if len(rows) < count and is_first else first_at


def _is_outage(intake: Intake, proven_at: datetime, until_at: datetime) -> bool:
    allowed = max(_OUTAGE_CANDLES * intake.width, intake.real(_OUTAGE_SECONDS))
    return until_at - proven_at >= allowed


def _method(proven_at: datetime | None, is_late: bool) -> ProofMethod:
    if proven_at is None:
        return ProofMethod.BACKFILL
    return ProofMethod.REPAIR if is_late else ProofMethod.LIVE
