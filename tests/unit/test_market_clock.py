"""Which market time belongs to an instant on the wall, by what forecasts witness."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from appliance.control.market_clock import market_instant
from store.market_time import Witness

WALL = datetime(2026, 3, 14, 5, tzinfo=UTC)
MARKET = datetime(2024, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def wall(seconds: float) -> datetime:
    return WALL + timedelta(seconds=seconds)


def witnesses(pairs: Iterable[tuple[float, float]]) -> list[Witness]:
    """Return witnesses of seconds on the wall and minutes of the market."""
    return [Witness(wall(seconds), MARKET + minutes * MINUTE) for seconds, minutes in pairs]


FAST = witnesses((minute, minute) for minute in range(10))
"""A market at speed 60: a minute of it is a second on the wall."""


@pytest.mark.parametrize(("seconds", "minutes"), [(0, 0), (4, 4), (4.5, 4.5), (9, 9), (10.5, 10.5)])
def test_at_speed_60_a_second_on_the_wall_is_a_minute_of_the_market(
    seconds: float, minutes: float
) -> None:
    assert market_instant(FAST, wall(seconds), MINUTE) == MARKET + minutes * MINUTE


@pytest.mark.parametrize("seconds", [-1, 11.5, 3600])
def test_what_no_witness_is_near_has_no_place(seconds: float) -> None:
    assert market_instant(FAST, wall(seconds), MINUTE) is None


def test_without_a_witness_nothing_is_known() -> None:
    assert market_instant([], WALL, MINUTE) is None
    assert market_instant(FAST[:1], wall(0.5), MINUTE) is None


def test_an_outage_of_the_forecasts_is_bridged_where_the_market_went_on_evenly() -> None:
    known = [*FAST, *witnesses([(100, 100)])]
    assert market_instant(known, wall(50), MINUTE) == MARKET + 50 * MINUTE


def test_an_outage_in_which_the_speed_changed_is_not_bridged() -> None:
    known = [*FAST, *witnesses([(1000, 30)])]
    assert market_instant(known, wall(50), MINUTE) is None
