"""Candles one by one around an instant, those that stand out marked."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.text import Text

from appliance.domain.candle import Candle
from appliance.domain.feed import Feed
from appliance.tui.action_keys import key_of
from appliance.tui.presentation.formats import line, moment, percent, price
from appliance.tui.presentation.view import Frame, PanelView, Row, empty, failed, loading, title
from appliance.tui.state import Failure

OUTLIER = 6.0
"""A move of more than this times the usual one stands out."""
_ROOMY = 70


@dataclass(frozen=True, slots=True)
class CandlesState:
    """Candles of a feed around `at`; None while the first answer is awaited."""

    feed: Feed
    at: datetime | None
    candles: tuple[Candle, ...] | None = None
    failure: Failure | None = None


def present(state: CandlesState, frame: Frame) -> PanelView:
    """Return one row a candle: time, prices, change, volume, and what is unusual about it."""
    name = f"Candles of {state.feed[0]} {state.feed[1]}m"
    if state.candles is None:
        return failed(name, frame, state.failure) if state.failure else loading(name, frame, name)
    if not state.candles:
        return empty(
            name,
            frame,
            "no candle is stored here",
            f"{key_of('data')} shows what is known of the market",
        )
    moves = changes(state.candles)
    usual = usual_move(moves)
    rows: list[Row] = []
    width = timedelta(minutes=state.feed[1])
    for index, (candle, move) in enumerate(zip(state.candles, moves, strict=True)):
        opens_at = candle.candle_date_time_utc
        if index and opens_at - state.candles[index - 1].candle_date_time_utc > width:
            rows.append(Row("", line(("  ⋯ no candle here", "muted"))))
        rows.append(Row(candle_key(opens_at), _row(candle, move, usual, frame)))
    count = sum(is_outlier(move, usual) for move in moves)
    said = f"{count} stand out: over {OUTLIER:.0f} × the usual {percent(usual, 2)}"
    details = (said if count else "none stands out", "warning" if count else "muted")
    heading = f"  {'opens':<12}{'close':>14}{'change':>10}  "
    return PanelView(
        title(name, frame, details),
        tuple(rows),
        line((heading + ("high" if frame.width >= _ROOMY else ""), "heading")),
        is_stale=state.failure is not None,
    )


def candle_key(opens_at: datetime) -> str:
    """Return the key of a candle's row."""
    return opens_at.isoformat()


def nearest(candles: Sequence[Candle], at: datetime) -> str:
    """Return the key of the candle that stands out most, else of the newest that opened by `at`."""
    moves = changes(candles)
    usual = usual_move(moves)
    outliers = [
        (abs(move or 0.0), candle)
        for candle, move in zip(candles, moves, strict=True)
        if is_outlier(move, usual)
    ]
    if outliers:
        return candle_key(max(outliers, key=lambda pair: pair[0])[1].candle_date_time_utc)
    before = [candle for candle in candles if candle.candle_date_time_utc <= at]
    chosen = (before or list(candles))[-1:]
    return candle_key(chosen[0].candle_date_time_utc) if chosen else ""


def changes(candles: Sequence[Candle]) -> list[float | None]:
    """Return each close's change from the one before, as a fraction; None for the first."""
    closes = [candle.close for candle in candles]
    moves = [
        after / before - 1.0 if before > 0.0 else None
        for before, after in itertools.pairwise(closes)
    ]
    return [None, *moves] if closes else []


def usual_move(moves: Sequence[float | None]) -> float:
    """Return the median size of the moves, 0 without any."""
    sizes = [abs(move) for move in moves if move is not None and math.isfinite(move)]
    return statistics.median(sizes) if sizes else 0.0


def is_outlier(move: float | None, usual: float) -> bool:
    """Return whether a move stands out."""
    return move is not None and usual > 0.0 and abs(move) > OUTLIER * usual


def _row(candle: Candle, move: float | None, usual: float, frame: Frame) -> Text:
    stands_out = is_outlier(move, usual)
    style = "warning" if stands_out else "plain"
    text = line(
        ("▲ " if stands_out else "  ", "warning"),
        (f"{moment(candle.candle_date_time_utc, frame.now):<12}", "plain"),
        (f"{price(candle.close):>14}", style),
        (f"{percent(move, 2, signed=True):>10}  ", style),
    )
    if frame.width >= _ROOMY:
        text.append(f"{price(candle.high):<14} low {price(candle.low):<14}", "muted")
        text.append(f"volume {candle.volume:,.4g}", "muted")
    if stands_out and usual:
        text.append(f"  {abs(move or 0.0) / usual:.0f} × usual", "warning")
    return text
