"""The candlestick chart with the newest forecast's interval fanned out at its right end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from rich.text import Text

from appliance.domain.candle import Candle
from appliance.domain.forecast import Forecast
from appliance.tui.presentation.chart_scale import (
    PriceScale,
    price_label,
    price_scale,
    ticks,
    time_labels,
)
from appliance.tui.presentation.chart_volume import volume_bars, volume_rows
from appliance.tui.presentation.formats import line, rough_span, zone_name
from appliance.tui.presentation.model import at_price

_WICK, _BODY = 1, 2
_WICKS = {(0, 0): " ", (_WICK, _WICK): "│", (0, _WICK): "╷", (_WICK, 0): "╵"}
_RISING = _WICKS | {
    (_BODY, _BODY): "┃",
    (_WICK, _BODY): "╽",
    (_BODY, _WICK): "╿",
    (0, _BODY): "╻",
    (_BODY, 0): "╹",
}
_FALLING = _WICKS | {
    (_BODY, _BODY): "▌",
    (_WICK, _BODY): "▖",
    (_BODY, _WICK): "▘",
    (0, _BODY): "▖",
    (_BODY, 0): "▘",
}
"""Upper and lower half of a cell to the character that draws both: a falling body is a block, a rising
one a line, so that they differ without colour."""
_SHADES = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}
_WIDE_AXIS_FROM = 62
_FAN_FROM = 24

Cell = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Plot:
    """The prepared chart: candles by column, the fan's bounds, scale and sizes."""

    columns: tuple[Candle | None, ...]
    fan: tuple[tuple[float, float, float], ...]
    scale: PriceScale
    last: Candle
    forecast: Forecast | None
    axis: int
    is_compact: bool
    volume: int


def draw(
    candles: tuple[Candle, ...], forecast: Forecast | None, width: int, height: int
) -> list[Text]:
    """Return `height` lines of `width` cells; `candles` are ascending, the last may be forming."""
    if not candles or width < 16 or height < 4:
        return [line()] * height
    plot = _plan(candles, forecast, width, height)
    grid = _grid(plot)
    _draw_fan(grid, plot)
    _draw_candles(grid, plot)
    axis = _axis(plot)
    rows = [_join(cells, axis.get(y)) for y, cells in enumerate(grid)]
    return [*rows, *_volume(plot), _time_axis(plot, width)]


def _plan(candles: tuple[Candle, ...], forecast: Forecast | None, width: int, height: int) -> Plot:
    compact = width < _WIDE_AXIS_FROM
    last = candles[-1]
    axis = max(len(label) for label in _axis_samples(candles, compact)) + 1
    room = width - axis
    usable = forecast if forecast and _is_ahead(forecast, last) and room >= _FAN_FROM else None
    fan_width = min(max(room // 5, 6), 18) if usable else 0
    columns = _by_time(candles, room - fan_width)
    fan = _fan(usable, fan_width) if usable else ()
    prices = [p for c in columns if c for p in (c.low, c.high)]
    prices += [bound for lower, _, upper in fan for bound in (lower, upper)]
    volume = volume_rows(height)
    scale = price_scale(prices, height - 1 - volume)
    return Plot(columns, fan, scale, last, usable, axis, compact, volume)


def _axis_samples(candles: tuple[Candle, ...], compact: bool) -> list[str]:
    step = max(candles[-1].close * (1e-4 if compact else 5e-6), 1e-8)
    return [price_label(candles[-1].close, 10.0 ** math.floor(math.log10(step)), compact=compact)]


def _is_ahead(forecast: Forecast, last: Candle) -> bool:
    return forecast.target_at >= last.candle_date_time_utc


def _by_time(candles: tuple[Candle, ...], count: int) -> tuple[Candle | None, ...]:
    """Return the newest `count` columns; a minute without a candle leaves its column empty."""
    last = candles[-1]
    width = timedelta(minutes=last.unit)
    columns: list[Candle | None] = [None] * count
    for candle in candles:
        back = round((last.candle_date_time_utc - candle.candle_date_time_utc) / width)
        if back < count:
            columns[count - 1 - back] = candle
    return tuple(columns)


def _fan(forecast: Forecast, width: int) -> tuple[tuple[float, float, float], ...]:
    """Return (lower, median, upper) prices per column from now to the target.

    The model knows only the target's quantiles; between, the spread grows with the square root of
    time as a random walk's does, and the median drifts evenly.
    """
    quantiles = forecast.quantiles
    columns = []
    for index in range(1, width + 1):
        share = index / width
        median = quantiles.median * share
        lower = median + (quantiles.lower - quantiles.median) * math.sqrt(share)
        upper = median + (quantiles.upper - quantiles.median) * math.sqrt(share)
        columns.append(tuple(at_price(forecast, value) for value in (lower, median, upper)))
    return tuple((lower, median, upper) for lower, median, upper in columns)


def _grid(plot: Plot) -> list[list[Cell]]:
    """Return empty rows with faint lines at the price ticks."""
    width = len(plot.columns) + len(plot.fan)
    lined = {plot.scale.row(tick) for tick in ticks(plot.scale)}
    return [
        [("┈", "candle.grid") if y in lined else (" ", "") for _ in range(width)]
        for y in range(plot.scale.rows)
    ]


def _draw_candles(grid: list[list[Cell]], plot: Plot) -> None:
    for x, candle in enumerate(plot.columns):
        if candle is None:
            continue
        for y, glyph in _candle_cells(candle, plot.scale):
            grid[y][x] = (glyph, _style(candle))


def _is_rising(candle: Candle) -> bool:
    return candle.close >= candle.open


def _style(candle: Candle | None) -> str:
    return "" if candle is None else "candle.up" if _is_rising(candle) else "candle.down"


def _volume(plot: Plot) -> list[Text]:
    """Return the rows of volume, the most of one candle named at their right end."""
    labels: dict[int, Cell] = {}
    most = max((candle.volume for candle in plot.columns if candle), default=0.0)
    if plot.volume and most > 0:
        labels[0] = (f" vol {most:,.4g}"[: plot.axis], "candle.axis")
    bars = volume_bars(plot.columns, plot.volume)
    room: list[Cell] = [(" ", "")] * len(plot.fan)
    return [
        _join(
            [(bar, _style(candle)) for bar, candle in zip(row, plot.columns, strict=True)] + room,
            labels.get(y),
        )
        for y, row in enumerate(bars)
    ]


def _candle_cells(candle: Candle, scale: PriceScale) -> list[tuple[int, str]]:
    """Return (row, glyph) of every cell one candle touches."""
    high, low = scale.half(candle.high), scale.half(candle.low)
    top = scale.half(max(candle.open, candle.close))
    bottom = scale.half(min(candle.open, candle.close))

    def kind(half: int) -> int:
        return _BODY if top <= half <= bottom else _WICK if high <= half <= low else 0

    glyphs = _RISING if _is_rising(candle) else _FALLING
    rows = range(high // 2, low // 2 + 1)
    return [(y, glyphs[kind(2 * y), kind(2 * y + 1)]) for y in rows]


def _draw_fan(grid: list[list[Cell]], plot: Plot) -> None:
    first = len(plot.columns)
    for index, (lower, median, upper) in enumerate(plot.fan):
        top, bottom = plot.scale.half(upper), plot.scale.half(lower)
        for y in range(top // 2, bottom // 2 + 1):
            halves = (top <= 2 * y <= bottom, top <= 2 * y + 1 <= bottom)
            grid[y][first + index] = (_SHADES[halves], "candle.fan")
        grid[plot.scale.row(median)][first + index] = ("╌", "candle.median")


def _axis(plot: Plot) -> dict[int, Cell]:
    """Return the labelled rows of the price axis; the last price wins over a tick."""
    marks = ticks(plot.scale)
    step = min((b - a for a, b in pairwise(marks)), default=plot.scale.high - plot.scale.low)
    room = plot.axis - 1
    labels = {
        plot.scale.row(tick): (
            " " + price_label(tick, step, compact=plot.is_compact)[:room],
            "candle.axis",
        )
        for tick in marks
    }
    rising = _is_rising(plot.last)
    text = _axis_samples((plot.last,), plot.is_compact)[0][:room]
    style = "candle.last.up" if rising else "candle.last.down"
    return labels | {plot.scale.row(plot.last.close): (f"▸{text:<{room}}", style)}


def _join(cells: list[Cell], label: Cell | None) -> Text:
    """Return one row as text, neighbouring cells of one style in one span."""
    text = line()
    start = 0
    for end in range(1, len(cells) + 1):
        if end == len(cells) or cells[end][1] != cells[start][1]:
            text.append("".join(glyph for glyph, _ in cells[start:end]), cells[start][1] or None)
            start = end
    if label is not None:
        text.append(*label)
    return text


def _time_axis(plot: Plot, width: int) -> Text:
    """Return the times below the candles and the horizon below the fan."""
    end: datetime = plot.last.candle_date_time_utc
    unit = plot.last.unit
    count = len(plot.columns)
    times: list[datetime | None] = [
        end - timedelta(minutes=unit * (count - 1 - index)) for index in range(count)
    ]
    labels = time_labels(times, unit, count)
    ahead = ""
    if plot.forecast is not None:
        ahead = f"+{rough_span(plot.forecast.horizon * unit * 60)}".replace(" min", "m")
    fan = ahead[: len(plot.fan)].rjust(len(plot.fan))
    zone = zone_name(end).rjust(width - count - len(plot.fan))
    return line((labels, "candle.axis"), (fan, "model"), (zone, "faint"))
