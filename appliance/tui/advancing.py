"""How the board moves on with what the stream and the readings bring; pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from appliance.tui.messages import HistoryRead, StreamUpdate
from appliance.tui.state import Board, Failure, Reading, with_events, with_live

T = TypeVar("T")


def advanced(board: Board, update: StreamUpdate, at: datetime) -> Board:
    """Return the board with what the stream brought, or why it broke off."""
    if update.live:
        board = with_live(board, update.live)
    if update.events:
        board = with_events(board, update.events, at)
    if update.status is not None:
        board = replace(board, status=Reading(update.status, at), retry_at=None)
    if update.failure is not None:
        retry_at = at + timedelta(seconds=update.retry_seconds)
        board = replace(board, status=board.status.failed(update.failure), retry_at=retry_at)
    return board


def with_history(board: Board, message: HistoryRead, at: datetime) -> Board | None:
    """Return the board with candles, forecasts and events; None when they are not of what it shows."""
    project = board.project
    if message.project != (project.name if project else "") or message.feed != board.feed:
        return None
    board = replace(
        board,
        candles=_read(board.candles, message.candles, at),
        forecasts=_read(board.forecasts, message.forecasts, at),
    )
    if isinstance(message.events, Failure):
        return replace(board, events=board.events.failed(message.events))
    return with_events(board, message.events, at)


def history_signature(board: Board) -> tuple[object, ...]:
    """Return what changes when there are newer candles or forecasts, or others are shown; () for nothing."""
    project, market, live, feed = board.project, board.market, board.live_candle, board.feed
    if feed is None or not board.is_connected:
        return ()
    return (
        project.name if project else "",
        feed,
        market.stored_candles if market else 0,
        project.forecast_count if project else 0,
        live.candle.candle_date_time_utc if live else None,
    )


def _read(
    reading: Reading[tuple[T, ...]], answer: tuple[T, ...] | Failure, at: datetime
) -> Reading[tuple[T, ...]]:
    return reading.failed(answer) if isinstance(answer, Failure) else reading.good(answer, at)
