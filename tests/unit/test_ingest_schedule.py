"""Closed candles are asked for one second after they close, on whatever clock the exchange has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.triggers.cron import CronTrigger

from appliance.domain.candle import Candle, IngestionState, LiveCandle
from appliance.errors import ExchangeCode, ExchangeUnavailable
from appliance.ingest.backfill import BackfillProgress
from appliance.ingest.feed_state import FeedState, Trouble, rest_trouble
from appliance.ingest.intake import floor_to
from appliance.ingest.schedule import close_trigger

NOW = datetime(2026, 1, 5, 12, 7, 20, tzinfo=UTC)
GONE = ExchangeUnavailable("does not answer")


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        (1, "12:08:01"),
        (3, "12:09:01"),
        (15, "12:15:01"),
        (60, "13:00:01"),
        (240, "16:00:01"),
    ],
)
def test_in_real_time_it_fires_at_second_one_after_each_close(unit: int, expected: str) -> None:
    trigger = close_trigger(unit, 1.0, NOW, NOW)
    assert isinstance(trigger, CronTrigger)
    assert trigger.get_next_fire_time(None, NOW).strftime("%H:%M:%S") == expected


def test_a_simulated_clock_is_followed_at_its_own_speed() -> None:
    simulated = datetime(2025, 9, 1, 3, 0, 30, tzinfo=UTC)
    trigger = close_trigger(1, 10.0, simulated, NOW)
    first = trigger.get_next_fire_time(None, NOW)
    assert first == NOW + timedelta(seconds=4)
    assert trigger.get_next_fire_time(first, first) == first + timedelta(seconds=6)


def test_flooring_is_aligned_to_the_day() -> None:
    assert floor_to(NOW, timedelta(minutes=240)).hour == 12
    assert floor_to(NOW, timedelta(minutes=5)).minute == 5


def live(minute: int, close: float = 1.0) -> LiveCandle:
    opens_at = datetime(2026, 1, 5, 12, minute, tzinfo=UTC)
    return LiveCandle(Candle("KRW-BTC", 1, opens_at, 1.0, 1.0, 1.0, close, 1.0, 1.0), NOW)


def test_a_later_candle_on_the_stream_means_that_one_has_closed() -> None:
    state = FeedState("KRW-BTC", 1)
    assert state.take_tick(live(7))
    assert not state.take_tick(live(7, 2.0))
    assert state.take_tick(live(8))
    assert not state.take_tick(live(7))
    assert state.live == live(8)


def test_the_feed_is_behind_until_rest_has_confirmed_what_the_stream_has_closed() -> None:
    state = FeedState("KRW-BTC", 1)
    state.take_tick(live(8))
    state.proven_until_at = datetime(2026, 1, 5, 12, 7, tzinfo=UTC)
    assert state.is_behind
    state.proven_until_at = datetime(2026, 1, 5, 12, 8, tzinfo=UTC)
    assert not state.is_behind


def test_the_status_names_the_worst_thing_that_is_wrong() -> None:
    state = FeedState("KRW-BTC", 1)
    assert state.status(NOW).state == "polling"
    state.take_tick(live(8))
    assert (state.status(NOW).state, state.status(NOW).message) == ("streaming", "")
    state.show_backfill(str(BackfillProgress(12_000, 20_000, 9.8, 200)), NOW)
    assert state.status(NOW).state == "backfilling"
    assert state.status(NOW).message == "12,000 of 20,000 candles, 9.8 requests/s, 4 s left"
    garbage = ExchangeUnavailable("an HTML page", code=ExchangeCode.NONSENSE)
    blocked = ExchangeUnavailable("blocked until 12:05:00", code=ExchangeCode.BLOCKED)
    state.config = Trouble(IngestionState.MISCONFIGURED, "unknown key", "correct it", NOW)
    assert state.status(NOW).state == "misconfigured"
    for error, name in ((blocked, "blocked"), (garbage, "garbled"), (GONE, "disconnected")):
        state.rest = rest_trouble(error, NOW, 4.0)
        told = state.status(NOW)
        assert (told.state, told.message, told.since_at) == (name, error.message, NOW)
        assert "in 4 s" in told.next_step
