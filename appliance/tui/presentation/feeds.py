"""Markets and timeframes that are ingested: their list, and one feed's state in a line."""

from __future__ import annotations

from functools import partial

from rich.text import Text

from appliance.control.api import MarketStatus
from appliance.control.needs import is_late, market_need
from appliance.domain.feed import Feed
from appliance.tui.presentation.formats import (
    UNKNOWN,
    age,
    clip,
    count,
    fit,
    line,
    price,
    rough_span,
    short_span,
)
from appliance.tui.presentation.marks import FEED, Mark
from appliance.tui.presentation.marks import UNKNOWN as UNKNOWN_MARK
from appliance.tui.presentation.view import Frame, PanelView, Row
from appliance.tui.state import Board


def feed_name(feed: Feed) -> str:
    """Return a market and timeframe as the operator reads it, such as `KRW-BTC 1m`."""
    return feed.name


def feed_key(feed: Feed) -> str:
    """Return a feed as the key of a row."""
    return f"{feed[0]} {feed[1]}"


def feed_of(key: str) -> Feed:
    """Return the feed that `feed_key` made a key of."""
    market, _, unit = key.partition(" ")
    return Feed(market, int(unit))


def by_need(board: Board) -> list[MarketStatus]:
    """Return the markets that need a look first, otherwise in the order of the configuration."""
    return sorted(board.markets, key=lambda market: -market_need(market))


def mark_of(market: MarketStatus | None) -> Mark:
    """Return how a feed's state looks."""
    if market is None or market.ingestion is None:
        return UNKNOWN_MARK
    return FEED.get(market.ingestion.state, UNKNOWN_MARK)


def is_troubled(market: MarketStatus | None) -> bool:
    """Whether a feed needs a look: candles do not arrive as they should, or a gap is open."""
    mark = mark_of(market)
    return market is not None and (mark.style in {"bad", "warning"} or bool(market.gaps))


def lag(market: MarketStatus | None) -> tuple[str, str]:
    """Return the ingestion lag in words; late ones warn, an unknown one says so."""
    if market is None or market.lag_seconds is None:
        return ("lag unknown", "warning")
    seconds = market.lag_seconds
    text = f"lag {short_span(seconds)}"
    return (f"▲ {text}", "warning") if is_late(market) else (text, "muted")


def state_line(market: MarketStatus | None, frame: Frame) -> Text:
    """Return a feed's state, since when, and how complete its candles are, in one line."""
    mark = mark_of(market)
    text = line((f"{mark.glyph} {mark.word}", mark.style))
    if market is None:
        return text
    for words, style in (_gaps(market), _since(market, frame), _words(market)):
        if words:
            room = frame.width - text.cell_len - 3
            if room >= min(len(words), 12):
                text.append(" · ", "faint").append_text(line((clip(words, room), style)))
    return text


def _since(market: MarketStatus, frame: Frame) -> tuple[str, str]:
    since_at = market.ingestion.since_at if market.ingestion else None
    if since_at is None:
        return ("", "")
    return (f"for {rough_span((frame.now - since_at).total_seconds())}", "warning")


def _gaps(market: MarketStatus) -> tuple[str, str]:
    if market.gaps:
        return (f"▲ {count(market.gaps, 'gap')}", "warning")
    return ("no gap", "muted") if market.stored_candles else ("", "")


def _words(market: MarketStatus) -> tuple[str, str]:
    return (market.ingestion.message if market.ingestion else "", "plain")


def present_choices(board: Board, frame: Frame) -> PanelView:
    """Return every market and timeframe as rows to choose from."""
    rows = tuple(
        Row(feed_key(Feed(market.market, market.unit)), partial(_choice, board, market, frame))
        for market in board.markets
    )
    return PanelView(line(), rows)


def _choice(board: Board, market: MarketStatus, frame: Frame) -> Text:
    feed = Feed(market.market, market.unit)
    is_shown = "▸ " if feed == board.feed else "  "
    return line(
        (is_shown, "accent"),
        (fit(feed_name(feed), 14), "strong"),
        *price_cells(board, market, frame),
        "  ",
        *state_cells(market),
    )


def price_cells(
    board: Board, market: MarketStatus, frame: Frame
) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return price and its age, 13 and 9 cells wide.

    The age is that of the last trade the exchange told of: it warns only where the feed is in trouble, since
    a quiet market's price stands for minutes.
    """
    live = board.newest_live(market)
    if live is None:
        return ((f"{UNKNOWN:>13}", "muted"), (f"{UNKNOWN:>9}", "muted"))
    style = "warning" if mark_of(market).style in {"bad", "warning"} else "muted"
    return (
        (f"{price(live.candle.close):>13}", "strong"),
        (f"{age(live.received_at, frame.now):>9}", style),
    )


def state_cells(market: MarketStatus) -> tuple[tuple[str, str], ...]:
    """Return a feed's state and its gaps, 12 cells and more."""
    mark = mark_of(market)
    gaps = (f" ▲ {count(market.gaps, 'gap')}", "warning") if market.gaps else ("", "")
    return ((fit(f"{mark.glyph} {mark.word}", 12), mark.style), gaps)
