"""The data screen: feeds, how complete one is, its strip, its gaps, and work on its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from rich.text import Text

from appliance import zone
from appliance.control.api import MarketStatus
from appliance.control.needs import is_late
from appliance.domain.candle import Gap
from appliance.domain.coverage import MarketCoverage
from appliance.domain.feed import Feed
from appliance.domain.history_job import CoverageCell, HistoryJob, JobState
from appliance.tui.action_keys import key_of
from appliance.tui.presentation import feeds
from appliance.tui.presentation.formats import (
    UNKNOWN,
    age,
    clip,
    count,
    day_time,
    fit,
    line,
    moment,
    percent,
    rough_span,
)
from appliance.tui.presentation.view import (
    Frame,
    PanelView,
    Row,
    SortValue,
    empty,
    failed,
    title,
    wrapped,
)
from appliance.tui.state import Board, Failure

SPANS = (6.0, 24.0, 168.0, 0.0)
"""Hours that the strip may cover, growing; 0 is everything known."""
_ROOMY = 100
_FEED_COLUMNS = ("market", "price", "last trade", "feed", "lag", "gap", "complete")
_SHADES = ((0.999, "█"), (0.66, "▓"), (0.33, "▒"), (0.0, "░"))
"""Least share of candles among the proven intervals of a cell, and its glyph."""


@dataclass(frozen=True, slots=True)
class DataState:
    """What the screen has read about its chosen feed; None while the first answer is awaited."""

    feed: Feed | None = None
    hours: float = SPANS[1]
    known: MarketCoverage | None = None
    strip: tuple[CoverageCell, ...] = ()
    is_read: bool = False
    failure: Failure | None = None


def share(part: int, whole: int) -> str:
    """Return a percentage that is 0 or 100 only when it is exactly that."""
    if not whole:
        return UNKNOWN
    percent = 100 * part / whole
    if 0 < part < whole:
        percent = min(max(percent, 0.01), 99.99)
    return f"{percent:.0f} %" if part in {0, whole} else f"{percent:.2f} %"


def present_feeds(board: Board, frame: Frame) -> PanelView:
    """Return one row a market and timeframe: price, age, state, lag, watermark, what is known."""
    if not board.markets:
        return empty("Markets", frame, "no market", "name one in `ingest.markets`")
    more = f"{'candle':>9}{'no trade':>10}{'expected':>11}" if frame.width >= _ROOMY else ""
    heading = line(
        (f" {'market':<13}{'price':>13}{'last trade':>11}  {'feed':<11}", "heading"),
        (f"{'lag':>7}{'gap':>8}{'complete':>9}{more}", "heading"),
    )
    rows = tuple(
        Row(
            feeds.feed_key(Feed(m.market, m.unit)),
            partial(_feed_row, board, m, frame),
            sort=_feed_values(board, m),
        )
        for m in feeds.by_need(board)
    )
    troubled = sum(feeds.is_troubled(market) for market in board.markets)
    words = (f"▲ {troubled} need a look", "warning") if troubled else ("all well", "muted")
    return PanelView(title("Markets", frame, words), rows, heading, columns=_FEED_COLUMNS)


def _feed_values(board: Board, market: MarketStatus) -> tuple[SortValue, ...]:
    live, known = board.newest_live(market), market.coverage
    return (
        feeds.feed_name(Feed(market.market, market.unit)),
        live.candle.close if live else None,
        live.received_at if live else None,
        feeds.mark_of(market).word,
        market.lag_seconds,
        known.missing / known.expected if known and known.expected else None,
        market.ingestion.watermark_at if market.ingestion else None,
    )


def _feed_row(board: Board, market: MarketStatus, frame: Frame) -> Text:
    mark, known = feeds.mark_of(market), market.coverage
    price, seen = feeds.price_cells(board, market, frame)
    late = "warning" if is_late(market) else "muted"
    lag = UNKNOWN if market.lag_seconds is None else rough_span(market.lag_seconds)
    gap = share(known.missing, known.expected) if known else UNKNOWN
    text = line(
        " ",
        (fit(feeds.feed_name(Feed(market.market, market.unit)), 13), "strong"),
        price,
        (f"{seen[0].strip():>11}", seen[1]),
        "  ",
        (fit(f"{mark.glyph} {mark.word}", 11), mark.style),
        (f"{lag:>7}", late),
        (f"{'▲ ' if market.gaps else ''}{gap}".rjust(8), "warning" if market.gaps else "muted"),
        (f"{_watermark(market, frame):>9}", "muted"),
    )
    if frame.width >= _ROOMY and known is not None:
        text.append(f"{share(known.candles, known.expected):>9}", "muted")
        text.append(f"{share(known.no_trade, known.expected):>10}", "muted")
        text.append(f"{known.expected:>11,}", "muted")
    return text


def _watermark(market: MarketStatus, frame: Frame) -> str:
    at = market.ingestion.watermark_at if market.ingestion else None
    text = moment(at, frame.now)
    return text if len(text) <= 8 else text[:5]


def present_coverage(board: Board, state: DataState, frame: Frame) -> PanelView:
    """Return what is known of the chosen feed: its state in full, shares, proof, strip."""
    if state.feed is None:
        return empty("Coverage", frame, "no market chosen", "j and k choose one")
    name = feeds.feed_name(state.feed)
    lines = feed_words(board.market_of(state.feed), frame)
    if state.known is None and state.failure is not None:
        return failed(name, frame, state.failure)
    if state.known is None:
        words = "nothing is proven yet" if state.is_read else "◌ loading coverage …"
        return PanelView(title(name, frame), _rows([*lines, line((words, "muted"))]))
    known = state.known
    gaps = (f"▲ {count(len(known.gaps), 'gap')}", "warning") if known.gaps else ("no gap", "good")
    lines += [shares_line(known, frame), *proof_lines(known, frame)]
    lines += strip_lines(state, frame)
    text = title(name, frame, gaps, (f"since {moment(known.start_at, frame.now)}", "muted"))
    return PanelView(text, _rows(lines), is_stale=state.failure is not None)


def feed_words(market: MarketStatus | None, frame: Frame) -> list[Text]:
    """Return a feed's state, since when, what is wrong, and what happens next."""
    mark = feeds.mark_of(market)
    row = market.ingestion if market else None
    since = f" since {moment(row.since_at, frame.now)}" if row and row.since_at else ""
    first = line((f"{mark.glyph} {mark.word}", mark.style), (since, mark.style))
    if row is None or not (row.message or row.next_step):
        watermark = f", complete until {moment(row.watermark_at, frame.now)}" if row else ""
        return [first.append(watermark, "muted")]
    pieces = wrapped(row.message, frame.width - 2)
    lines = [first, *(line((f"  {piece}", "plain")) for piece in pieces)]
    steps = wrapped(row.next_step, frame.width - 4)
    return lines + [
        line((f"  {'→' if i == 0 else ' '} {piece}", "muted")) for i, piece in enumerate(steps)
    ]


def shares_line(known: MarketCoverage, frame: Frame) -> Text:
    """Return how many intervals are expected and what each is, in percent."""
    text = line((f"{known.expected:,} expected", "strong"))
    parts = (
        ("candle", known.candles, "good"),
        ("no trade", known.no_trade, "info"),
        ("repaired", known.repaired, "accent"),
        ("gap", known.missing, "warning" if known.missing else "muted"),
    )
    for name, number, style in parts:
        piece = f"  {name} {share(number, known.expected)}"
        if text.cell_len + len(piece) <= frame.width:
            text.append(piece, style)
    return text


def proof_lines(known: MarketCoverage, frame: Frame) -> list[Text]:
    """Return watermark and last audit."""
    audited = age(known.audited_at, frame.now) if known.audited_at else "not yet; a audits now"
    words = f"watermark {moment(known.watermark_at, frame.now)}  last audit {audited}"
    return [line((clip(words, frame.width), "muted"))]


def cell_glyph(cell: CoverageCell) -> tuple[str, str]:
    """Return a cell of the strip: a gap wins, then repaired, then how many intervals have a candle."""
    proven = cell.candles + cell.no_trade + cell.repaired
    if cell.missing:
        return ("✖", "bad")
    if not proven:
        return ("·", "faint")
    if cell.repaired:
        return ("◆", "accent")
    part = cell.candles / proven
    glyph = next(glyph for least, glyph in _SHADES if part >= least)
    return (glyph, "good" if part >= 0.999 else "info")


def strip_lines(state: DataState, frame: Frame) -> list[Text]:
    """Return the time line, newest right, its ends, and what its glyphs mean."""
    if not state.strip:
        return []
    text = line()
    for cell in state.strip[-frame.width :]:
        text.append(*cell_glyph(cell))
    first, last = state.strip[0].start_at, state.strip[-1].end_at
    each = rough_span((state.strip[0].end_at - first).total_seconds())
    left, right = day_time(first), day_time(last)
    middle = f"one cell is {each}"
    room = max(frame.width - len(left) - len(right), 0)
    legend = line(
        *(
            ("█", "good"),
            (" candles ", "muted"),
            ("▓▒░", "info"),
            (" some without trade ", "muted"),
        ),
        *(("◆", "accent"), (" repaired ", "muted"), ("✖", "bad"), (" gap ", "muted")),
        *(("·", "faint"), (" before", "muted")),
    )
    return [text, line((f"{left}{middle[:room]:^{room}}{right}", "muted")), legend]


def present_gaps(board: Board, state: DataState, frame: Frame) -> PanelView:
    """Return the chosen feed's gaps, newest first: since when, how long, age, cause, state."""
    gaps = state.known.gaps if state.known else ()
    if not gaps:
        words = "● no gap: every interval is proven" if state.known else UNKNOWN
        return PanelView(title("Gaps", frame), (Row("", line((words, "muted"))),))
    heading = line(
        (
            f" {'since':<13}{'candles':>9}{'lasts':>12}{'found':>12}  {'cause':<9}state",
            "heading",
        )
    )
    rows = tuple(
        Row(
            gap.start_at.isoformat(),
            _gap_row(gap, gap_state(board, gap), frame),
            sort=_gap_values(gap),
        )
        for gap in reversed(gaps)
    )
    text = title("Gaps", frame, (count(len(gaps), "gap"), "warning"))
    return PanelView(text, rows, heading, columns=("since", "candles", "found", "cause"))


def _gap_values(gap: Gap) -> tuple[SortValue, ...]:
    return (gap.start_at, gap_candles(gap), gap.found_at, gap.cause or None)


def _gap_row(gap: Gap, state: tuple[str, str], frame: Frame) -> Text:
    seconds = (gap.end_at - gap.start_at).total_seconds()
    return line(
        (f" {day_time(gap.start_at):<13}", "plain"),
        (f"{gap_candles(gap):>9,}", "strong"),
        (f"{rough_span(seconds):>12}", "muted"),
        (f"{age(gap.found_at, frame.now):>12}", "muted"),
        (f"  {gap.cause or 'open end':<9}", "muted"),
        (clip(state[0], max(frame.width - 58, 8)), state[1]),
    )


def gap_candles(gap: Gap) -> int:
    """Return how many intervals a gap has."""
    return (gap.end_at - gap.start_at) // timedelta(minutes=gap.unit)


def gap_state(board: Board, gap: Gap) -> tuple[str, str]:
    """Return whether a gap is being repaired, waits for the source, or is next."""
    feed = Feed(gap.market, gap.unit)
    if any((j.market, j.unit) == feed for j in running(board.jobs)):
        return ("↻ being repaired", "info")
    mark = feeds.mark_of(board.market_of(feed))
    if mark.word == "filling":
        return ("↻ being repaired", "info")
    return ("◌ waits for the source", "warning") if mark.style == "bad" else ("◌ queued", "muted")


def describe_gap(board: Board, gap: Gap, frame: Frame) -> list[Text]:
    """Return everything known about one gap and what to do."""
    facts = (
        ("market", feeds.feed_name(Feed(gap.market, gap.unit))),
        ("from", zone.stamp(gap.start_at, seconds=False)),
        ("until", f"{zone.stamp(gap.end_at, seconds=False)} (exclusive)"),
        ("candles", f"{gap_candles(gap):,} expected and unknown"),
        ("found", f"{age(gap.found_at, frame.now)}, cause: {gap.cause or 'not recorded yet'}"),
        ("state", gap_state(board, gap)[0]),
    )
    lines = [line((f"{name:<9}", "muted"), (value, "plain")) for name, value in facts]
    words = "the ingestor repairs it by itself inside the request budget; e does it at once"
    return [*lines, line(), *(line((f"→ {w}", "muted")) for w in wrapped(words, frame.width - 2))]


def describe_feed(board: Board, state: DataState, frame: Frame) -> list[Text]:
    """Return one feed in full, for reading."""
    return [row.text for row in present_coverage(board, state, frame).rows]


def running(jobs: Sequence[HistoryJob]) -> list[HistoryJob]:
    """Return the jobs that have not ended."""
    return [job for job in jobs if job.state is JobState.RUNNING]


def present_jobs(board: Board, frame: Frame) -> PanelView:
    """Return backfills, repairs and audits, the newest first, with rate and time left."""
    if not board.jobs:
        keys = [key_of(name) for name in ("backfill", "repair", "audit")]
        words = "{} loads a range, {} repairs, {} audits; leaving the dashboard stops none of it"
        lines = [line((piece, "muted")) for piece in wrapped(words.format(*keys), frame.width)]
        return PanelView(title("Work on history", frame), _rows(lines))
    rows = tuple(Row(str(job.id), _job_row(job, frame)) for job in reversed(board.jobs))
    return PanelView(title("Work on history", frame, ("enter cancels", "muted")), rows)


def _job_row(job: HistoryJob, frame: Frame) -> Text:
    marks = {
        JobState.RUNNING: ("▶", "info"),
        JobState.DONE: ("✔", "good"),
        JobState.FAILED: ("✖", "bad"),
        JobState.CANCELLED: ("○", "muted"),
    }
    glyph, style = marks[job.state]
    head = f" {job.kind} {feeds.feed_name(Feed(job.market, job.unit))}  "
    room = frame.width - len(head) - 1
    if job.state is not JobState.RUNNING:
        hint = f" → {job.hint}" if job.hint else ""
        return line((glyph, style), (head, "strong"), (clip(job.message + hint, room), "muted"))
    return line((glyph, style), (head, "strong"), (clip(progress_words(job), room), "plain"))


def progress_words(job: HistoryJob) -> str:
    """Return how far a running job is, at which rate, and how long it takes still."""
    if not job.wanted:
        return "starting …"
    words = f"{percent(job.done / job.wanted, 0)} of {job.wanted:,}"
    if job.rate:
        words += f", {job.rate:,.0f} candles/s"
    return words if job.seconds_left is None else f"{words}, {rough_span(job.seconds_left)} left"


def _rows(lines: Sequence[Text]) -> tuple[Row, ...]:
    return tuple(Row("", text) for text in lines)
