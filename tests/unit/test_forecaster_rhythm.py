"""How soon the forecaster looks for the next closed candle."""

from __future__ import annotations

import pytest

from appliance.forecaster.rhythm import (
    DUE_SECONDS,
    IDLE_SECONDS,
    UNKNOWN_SECONDS,
    next_look,
)


def looks(arrived_at: float, period: float, until: float) -> list[float]:
    """Return the instants of all looks from an arrival to `until`."""
    now, found = arrived_at, []
    while now < until:
        now += next_look(now, arrived_at, period)
        found.append(now)
    return found


def test_before_the_first_candle_it_looks_often() -> None:
    assert next_look(5.0, None, 60.0) == UNKNOWN_SECONDS


def test_a_minute_costs_a_second_look_per_second_and_few_more() -> None:
    assert len(looks(100.0, 60.0, 160.0)) <= 60 + 20


@pytest.mark.parametrize("early", [-1.4, -0.5, 0.0, 0.5, 5.0])
def test_an_arrival_near_the_expected_instant_is_found_at_once(early: float) -> None:
    arrival = 160.0 + early
    found = next(look for look in looks(100.0, 60.0, 180.0) if look >= arrival)
    assert found - arrival <= DUE_SECONDS + 1e-9


def test_a_candle_that_stays_away_is_looked_for_seldom() -> None:
    assert next_look(171.0, 100.0, 60.0) == IDLE_SECONDS


def test_candles_of_a_fast_simulation_are_always_due() -> None:
    assert set(looks(100.0, 1.0, 101.0)) and next_look(100.0, 100.0, 1.0) == DUE_SECONDS
