"""Which part of a chart is shown, and where its cursor stands; pan and zoom are pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from appliance.domain.chart import LEAST_SPAN, Chart


class Step(StrEnum):
    """How to move through a chart; the amount is columns, spans, closer or farther, on or back."""

    CURSOR = "cursor"
    PLACE = "place"
    PAN = "pan"
    ZOOM = "zoom"
    EVENT = "event"
    END = "end"


_ZOOM = 2.0
_MARGIN = 0.5
"""Of the span that is shown, so much is read on either side of it: a pan shows values at once."""


@dataclass(frozen=True, slots=True)
class Window:
    """The time that is shown; `cursor_at` is where the operator reads values."""

    start_at: datetime
    end_at: datetime
    cursor_at: datetime
    is_newest: bool = True

    @property
    def span(self) -> timedelta:
        """How much time is shown."""
        return self.end_at - self.start_at


def opened(chart: Chart) -> Window:
    """Return the window that a chart is first seen in, the cursor at its newest value.

    It begins with the oldest value, where that is in it: a young appliance has no empty hours to show.
    """
    end_at = chart.end_at
    oldest = min(chart.first_at or chart.start_at, end_at - LEAST_SPAN)
    start_at = max(chart.start_at, oldest)
    return Window(start_at, end_at, max(min(chart.last_at or end_at, end_at), start_at))


def followed(window: Window, chart: Chart) -> Window:
    """Return the window moved on to a newer end, where it stood at the end before."""
    if not window.is_newest or chart.last_at is None or chart.last_at <= window.end_at:
        return window
    by = chart.last_at - window.end_at
    cursor_at = chart.last_at if window.cursor_at == window.end_at else window.cursor_at
    start_at = window.start_at + by
    return replace(
        window, start_at=start_at, end_at=chart.last_at, cursor_at=max(cursor_at, start_at)
    )


def panned(window: Window, chart: Chart, share: float) -> Window:
    """Return the window moved by a share of its span; the cursor keeps its place on the screen."""
    return _kept(window, chart, window.start_at + window.span * share, window.span)


def zoomed(window: Window, chart: Chart, *, is_closer: bool) -> Window:
    """Return the window with half or twice the span, around the cursor."""
    span = max(window.span / _ZOOM if is_closer else window.span * _ZOOM, LEAST_SPAN)
    if chart.first_at is not None and chart.last_at is not None:
        span = min(span, max(chart.last_at - chart.first_at, LEAST_SPAN) * 1.05)
    share = (window.cursor_at - window.start_at) / window.span
    moved = _kept(window, chart, window.cursor_at - span * share, span)
    return replace(moved, cursor_at=_within(window.cursor_at, moved))


def moved(window: Window, chart: Chart, columns: int, steps: int) -> Window:
    """Return the window with the cursor `steps` columns on; at an edge the window moves."""
    column = window.span / max(columns - 1, 1)
    cursor_at = window.cursor_at + steps * column
    if window.start_at <= cursor_at <= window.end_at:
        return replace(window, cursor_at=cursor_at)
    shifted = panned(window, chart, steps / max(columns - 1, 1))
    return replace(shifted, cursor_at=_within(cursor_at, shifted))


def centred(window: Window, chart: Chart, at: datetime) -> Window:
    """Return the window with the cursor at an instant, moved only when that is not shown."""
    if not window.start_at <= at <= window.end_at:
        window = _kept(window, chart, at - window.span / 2, window.span)
    return replace(window, cursor_at=_within(at, window))


def asked(window: Window) -> tuple[datetime, datetime]:
    """Return the span to read for a window."""
    margin = window.span * _MARGIN
    return window.start_at - margin, window.end_at + margin


def _kept(window: Window, chart: Chart, start_at: datetime, span: timedelta) -> Window:
    """Return the window at `start_at`, kept within what there is to see."""
    share = (window.cursor_at - window.start_at) / window.span
    newest = chart.last_at or window.end_at
    start_at = min(start_at, newest - span)
    if chart.first_at is not None:
        start_at = max(start_at, min(chart.first_at, newest - span))
    end_at = start_at + span
    return Window(start_at, end_at, start_at + span * share, is_newest=end_at >= newest)


def _within(at: datetime, window: Window) -> datetime:
    return min(max(at, window.start_at), window.end_at)
