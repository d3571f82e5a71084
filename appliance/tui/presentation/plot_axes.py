"""The axes of a plot: round values with their unit at the right, days and hours below."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise

from appliance import zone
from appliance.domain.chart import Series, SeriesForm
from appliance.tui.presentation.chart_scale import PriceScale, price_scale, ticks
from appliance.tui.presentation.plot import Extent
from appliance.tui.presentation.units import axis_label

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_STEPS = (
    *(minutes * _MINUTE for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * _HOUR for hours in (1, 2, 3, 6, 12)),
    *(days * _DAY for days in (1, 2, 7, 14, 28, 84, 364)),
)
_CELLS_A_LABEL = 9
_LIMIT_ROOM = 4.0
"""A limit is shown while it leaves the values a quarter of the height."""


def value_scale(
    series: Iterable[Series], start_at: datetime, end_at: datetime, rows: int
) -> PriceScale:
    """Return a scale that holds what is visible, and limits that leave room for it."""
    values: list[float] = []
    limits: list[float] = []
    for each in series:
        if each.form is not SeriesForm.COUNT:
            found = limits if each.form is SeriesForm.LIMIT else values
            found += _visible(each, each.values, start_at, end_at)
            if each.upper:
                found += _visible(each, each.upper, start_at, end_at)
    values = values or limits or [0.0, 1.0]
    room = _LIMIT_ROOM * (max(values) - min(values) or abs(max(values)) or 1.0)
    for limit in limits:
        if max(*values, limit) - min(*values, limit) <= room:
            values.append(limit)
    return price_scale(values, rows)


def _visible(
    series: Series, values: tuple[float | None, ...], start_at: datetime, end_at: datetime
) -> list[float]:
    return [
        value
        for at, value in zip(series.at, values, strict=True)
        if value is not None and start_at <= at <= end_at
    ]


def value_labels(scale: PriceScale, unit: str) -> dict[int, str]:
    """Return the labels of the value axis by row."""
    marks = ticks(scale)
    step = min((b - a for a, b in pairwise(marks)), default=scale.high - scale.low)
    largest = max(abs(scale.low), abs(scale.high))
    return {scale.row(mark): axis_label(mark, step, unit, largest) for mark in marks}


def time_axis(extent: Extent) -> str:
    """Return the row below the plot: times of day, the date where a day begins."""
    cells = [" "] * extent.columns
    free_from = 0
    for at in time_ticks(extent):
        local = zone.local(at)
        is_day = local.hour == local.minute == 0
        label = f"{local:%m-%d}" if is_day else f"{local:%H:%M}"
        start = extent.column(at) - 2
        if free_from <= start and start + len(label) <= extent.columns:
            cells[start : start + len(label)] = label
            free_from = start + len(label) + 2
    return "".join(cells)


def time_ticks(extent: Extent) -> list[datetime]:
    """Return round local times that leave each label its room."""
    span = (extent.end_at - extent.start_at).total_seconds()
    wanted = span * _CELLS_A_LABEL / max(extent.columns, 1)
    step = timedelta(seconds=next((s for s in _STEPS if s >= wanted), _STEPS[-1]))
    local = zone.local(extent.start_at)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    if step > timedelta(days=1):
        midnight -= timedelta(days=midnight.toordinal() % step.days)
    first = midnight + step * -(-(local - midnight) // step)
    found = []
    while first <= extent.end_at:
        found.append(first)
        first += step
    return found
