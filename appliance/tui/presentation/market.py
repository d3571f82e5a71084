"""The chart panel: market, last price, change, ingestion lag, candles, forecast."""

from __future__ import annotations

from rich.text import Text

from appliance.control.api import MarketStatus
from appliance.control.needs import Need, market_need
from appliance.domain.candle import Candle
from appliance.domain.forecast import Forecast
from appliance.tui.presentation.chart import draw
from appliance.tui.presentation.feeds import feed_name, is_troubled, lag, state_line
from appliance.tui.presentation.formats import UNKNOWN, age, line, percent, price
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
SHORTEST_WITH_LINE = 7
"""Rows from which on the chart gives one to the line about the feed."""


def present(board: Board, frame: Frame) -> PanelView:
    """Return the chart, or the words for why there is none."""
    if board.status.value is None:
        return absent(NAME, frame, board.status, "candles")
    feed, market = board.feed, board.market
    if feed is None:
        return empty(NAME, frame, "no market", "name one in `ingest.markets`")
    name = feed_name(feed)
    candles = with_forming(board)
    if not candles:
        return _without_candles(board, frame, name)
    heading = state_line(market, frame) if _has_room(market, frame) else None
    height = frame.height - (heading is not None)
    forecast = _forecast(board)
    rows = tuple(Row("", text) for text in draw(candles, forecast, frame.width, height))
    return PanelView(
        _title(name, candles, market, frame),
        rows,
        heading,
        footnote=_footnote(board, frame),
        is_stale=bool(old_note(board.status, frame.now)),
    )


def _has_room(market: MarketStatus | None, frame: Frame) -> bool:
    """Whether a line above the chart is worth a row of it; trouble always is."""
    return frame.height >= SHORTEST_WITH_LINE or is_troubled(market)


def _forecast(board: Board) -> Forecast | None:
    """Return the newest forecast where the chart shows what it forecasts."""
    if not board.is_project_feed:
        return None
    if board.forecasts.value:
        return board.forecasts.value[-1]
    return board.project.forecast if board.project else None


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


def _footnote(board: Board, frame: Frame) -> Text:
    market, feeds = board.market, board.feeds
    if market is None or board.feed is None:
        return line()
    parts = [f"{market.stored_candles:,} candles stored"] if market.stored_candles else []
    if market.live is not None:
        parts.append(f"last tick {age(market.live.received_at, frame.now)}")
    if len(feeds) > 1 and board.feed in feeds:
        parts.append(f"{feeds.index(board.feed) + 1} of {len(feeds)}: [ ] c")
        needy = sum(market_need(known) is not Need.NONE for known in board.markets)
        parts += [f"{needy:,} need a look: d"] if needy else []
    return note(" · ".join(parts), frame.width - 4)
