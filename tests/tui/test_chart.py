"""The candlestick chart."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from appliance.domain.candle import Candle
from appliance.tui.presentation.chart import draw
from appliance.tui.presentation.chart_scale import price_label, price_scale, ticks, time_labels
from tests import builders


def candle(minute: int, *prices: float) -> Candle:
    at = builders.NOW.replace(second=0) + timedelta(minutes=minute)
    return Candle("KRW-BTC", 1, at, *prices, 1.0, 1.0)


@pytest.mark.parametrize("size", [(16, 4), (38, 8), (66, 18), (118, 38)])
def test_the_chart_fills_exactly_its_room(size: tuple[int, int]) -> None:
    closed = tuple(builders.candles())
    lines = draw(closed, builders.forecast(list(closed)), *size)
    assert len(lines) == size[1]
    assert max(line.cell_len for line in lines) <= size[0]


def test_up_is_told_from_down_by_colour_and_by_form() -> None:
    rising, falling = candle(0, 100, 110, 90, 105), candle(1, 105, 106, 80, 82)
    lines = draw((rising, falling), None, 30, 12)
    glyphs = "".join(line.plain for line in lines)
    assert set("┃▌│") <= set(glyphs)
    for alone, body in ((rising, "╹╻╿╽┃"), (falling, "▘▖▌")):
        drawn = set("".join(line.plain for line in draw((alone,), None, 30, 12)))
        assert drawn & set(body)
        assert not drawn & (set("╹╻╿╽┃▘▖▌") - set(body))
    styles = {span.style for line in lines for span in line.spans}
    assert {"candle.up", "candle.down"} <= styles


def test_the_volume_stands_below_the_candles_and_any_trade_shows() -> None:
    volumes = (8.0, 4.0, 0.01, 0.0)
    traded = [
        replace(candle(i, 100, 101, 99, 100), volume=volume) for i, volume in enumerate(volumes)
    ]
    rows = [line.plain for line in draw(tuple(traded), None, 34, 12)[-3:-1]]
    assert "█   " in rows[0]
    assert "██▁" in rows[1]
    assert "vol 8" in rows[0]


def test_a_small_chart_keeps_its_rows_for_prices() -> None:
    assert "vol" not in "".join(line.plain for line in draw((candle(0, 1, 2, 1, 2),), None, 30, 7))


def test_a_minute_without_a_trade_leaves_its_column_empty() -> None:
    whole = draw(tuple(candle(i, 100, 101, 99, 100.5) for i in range(3)), None, 30, 10)
    gapped = draw((candle(0, 100, 101, 99, 100.5), candle(2, 100, 101, 99, 100.5)), None, 30, 10)

    def columns(lines: list) -> int:  # type: ignore[type-arg]
        marks = set("┃│╽╿╷╵╻╹")
        return len({x for line in lines for x, glyph in enumerate(line.plain) if glyph in marks})

    assert columns(whole) == 3
    assert columns(gapped) == 2


def test_the_fan_widens_towards_the_target_and_names_its_horizon() -> None:
    closed = tuple(builders.candles())
    lines = draw(closed, builders.forecast(list(closed)), 68, 18)
    heights = [
        sum(line.plain[x] in "█▀▄╌" for line in lines[:-1] if x < len(line.plain))
        for x in range(45, 55)
    ]
    assert heights == sorted(heights)
    assert heights[-1] > heights[0]
    assert "+30m" in lines[-1].plain


def test_a_forecast_whose_target_has_passed_draws_no_fan() -> None:
    closed = tuple(builders.candles())
    old = replace(
        builders.forecast(list(closed)),
        target_at=closed[-1].candle_date_time_utc - timedelta(minutes=5),
    )
    assert "+30m" not in draw(closed, old, 68, 18)[-1].plain


def test_one_flat_candle_can_be_drawn() -> None:
    assert "━" not in "".join(t.plain for t in draw((candle(0, 5, 5, 5, 5),), None, 30, 8))


def test_ticks_are_round_and_inside_the_scale() -> None:
    scale = price_scale([158_904_000.0, 160_100_000.0], 18)
    found = ticks(scale)
    assert len(found) >= 3
    assert all(scale.low <= tick <= scale.high for tick in found)
    assert all(tick % 50_000 == 0 for tick in found)


@pytest.mark.parametrize(
    ("price", "step", "compact", "text"),
    [
        (160_000_000, 250_000, False, "160,000,000"),
        (159_750_000, 250_000, True, "159.75M"),
        (312_000, 500, True, "312.0K"),
        (0.0012, 0.0001, True, "0.0012"),
        (250.5, 0.5, False, "250.5"),
    ],
)
def test_axis_labels_have_just_enough_digits(
    price: float, step: float, compact: bool, text: str
) -> None:
    assert price_label(price, step, compact=compact) == text


def test_time_labels_are_korean_and_do_not_overlap() -> None:
    start = builders.NOW.replace(second=0)
    times = [start + timedelta(minutes=i) for i in range(60)]
    labels = time_labels(list(times), 1, 60)
    assert len(labels) == 60
    assert (
        labels.split()
        == ["14:10", "14:20", "14:30", "14:40", "14:50", "15:00"][: len(labels.split())]
    )
