"""The chart panel: market, last price, change, ingestion lag, candles, forecast."""

from __future__ import annotations

from datetime import datetime

from rich.text import Text

from appliance.control.api import MarketStatus
from appliance.domain.candle import Candle
from appliance.tui.presentation.chart import draw
from appliance.tui.presentation.formats import UNKNOWN, age, count, line, percent, price, short_span
from appliance.tui.presentation.view import (
    Frame,
    PanelView,
    Row,
    absent,
    empty,
    failed,
    note,
    old_note,
    title,
    words,
)
from appliance.tui.state import Board

NAME = "Market"
LATE_SECONDS = 90.0
"""A newest stored candle older than this, beyond its own width, is late."""


def present(board: Board, frame: Frame) -> PanelView:
    """Return the chart, or the words for why there is none."""
    if board.status.value is None:
        return absent(NAME, frame, board.status, "candles")
    project, market = board.project, board.market
    if project is None:
        return empty(NAME, frame, "no project", "add one: `appliance new-project NAME`")
    name = f"{project.market} {project.unit}m"
    candles = with_forming(board)
    if not candles:
        return _without_candles(board, frame, name)
    newest = board.forecasts.value[-1] if board.forecasts.value else project.forecast
    rows = tuple(Row("", text) for text in draw(candles, newest, frame.width, frame.height))
    is_stale = bool(old_note(board.status, frame.now))
    return PanelView(
        _title(name, candles, market, frame),
        rows,
        footnote=_footnote(market, frame),
        is_stale=is_stale,
    )


def with_forming(board: Board) -> tuple[Candle, ...]:
    """Return the stored candles with the forming one at the end."""
    closed = board.candles.value or ()
    live = board.live_candle
    if live is None:
        return closed
    forming = live.candle
    if closed and forming.candle_date_time_utc < closed[-1].candle_date_time_utc:
        return closed
    kept = tuple(c for c in closed if c.candle_date_time_utc != forming.candle_date_time_utc)
    return (*kept, forming)


def _without_candles(board: Board, frame: Frame, name: str) -> PanelView:
    reading, market = board.candles, board.market
    if reading.failure is not None:
        return failed(name, frame, reading.failure)
    if reading.value is None:
        return words(name, frame, ("◌ loading candles …", "muted"))
    message = market.ingestion.message if market and market.ingestion else ""
    return empty(
        name, frame, "no candles stored yet", message or "the ingestor is filling the history"
    )


def _title(
    name: str, candles: tuple[Candle, ...], market: MarketStatus | None, frame: Frame
) -> Text:
    last = candles[-1]
    details = [(price(last.close), "strong"), lag(market), _change(candles, frame)]
    if market is not None and market.gaps:
        details.insert(2, (count(market.gaps, "gap"), "warning"))
    return title(name, frame, *details)


def _change(candles: tuple[Candle, ...], frame: Frame) -> tuple[str, str]:
    """Return the change from the close an hour earlier, or from the oldest candle known."""
    last = candles[-1]
    back = 60 // last.unit if last.unit < 60 else 1
    reference = candles[-1 - back] if len(candles) > back else candles[0]
    if reference is last or not reference.close:
        return (UNKNOWN, "muted")
    change = last.close / reference.close - 1
    minutes = (last.candle_date_time_utc - reference.candle_date_time_utc).total_seconds() / 60
    period = f"{minutes / 60:.0f}h" if minutes >= 60 else f"{minutes:.0f}m"
    glyph, style = ("▲", "candle.up") if change >= 0 else ("▼", "candle.down")
    if frame.width < 44:
        return (f"{glyph}{percent(abs(change), 2)}", style)
    return (f"{glyph} {percent(change, 2, signed=True)} {period}", style)


def lag(market: MarketStatus | None) -> tuple[str, str]:
    """Return the ingestion lag in words; late ones warn, an unknown one says so."""
    if market is None or market.lag_seconds is None:
        return ("lag unknown", "warning")
    seconds = market.lag_seconds
    late = seconds > market.unit * 60 + LATE_SECONDS
    text = f"lag {short_span(seconds)}"
    return (f"▲ {text}", "warning") if late else (text, "muted")


def _footnote(market: MarketStatus | None, frame: Frame) -> Text:
    if market is None:
        return line()
    parts = [f"{market.stored_candles:,} candles stored"] if market.stored_candles else []
    if market.ingestion is not None:
        parts.insert(0, market.ingestion.state)
        parts.append(_heartbeat(market.ingestion.last_tick_at, frame.now))
        if market.ingestion.message:
            parts.insert(1, market.ingestion.message)
    return note(" · ".join(part for part in parts if part), frame.width - 4)


def _heartbeat(at: datetime | None, now: datetime) -> str:
    return f"last tick {age(at, now)}" if at else ""
