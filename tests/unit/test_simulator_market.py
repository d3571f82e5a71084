"""The synthetic market: same seed same market, wider candles are exact sums, shifts keep the past."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from appliance.errors import ConfigError
from appliance.simulator.book import Book
from appliance.simulator.columns import Columns
from appliance.simulator.listing import profile
from appliance.simulator.scripted_markets import load_markets, parse_market
from appliance.simulator.shifts import Shift, ShiftSchedule, load_scenario, parse_shift
from appliance.simulator.synthetic import SyntheticMarket
from appliance.simulator.windows import MINUTES_PER_DAY

DAY = 20_500
NOON = DAY * MINUTES_PER_DAY + 720
BASE_AT = datetime(2026, 1, 5, 12, 0, 30, tzinfo=UTC)


def market(code: str = "KRW-BTC", seed: int = 7, *shifts: Shift) -> SyntheticMarket:
    return SyntheticMarket(profile(code), seed, ShiftSchedule(shifts))


def is_same(left: Columns, right: Columns) -> bool:
    return all(
        np.array_equal(mine, theirs)
        for mine, theirs in zip(left.arrays(), right.arrays(), strict=True)
    )


def returns(candles: Columns) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.diff(np.log(candles.close))


def test_a_day_is_the_same_whatever_was_asked_before() -> None:
    first, second = market(), market()
    first.day(DAY - 40)
    first.ticks(NOON)
    assert is_same(first.day(DAY), second.day(DAY))


def test_seed_and_market_make_a_difference() -> None:
    assert not is_same(market(seed=7).day(DAY), market(seed=8).day(DAY))
    assert market("KRW-BTC").day(DAY).close[0] > 1e7 > market("KRW-DOGE").day(DAY).close[0]


def test_candles_are_possible_and_on_the_tick_grid() -> None:
    day = market().day(DAY)
    assert np.all(day.low <= np.minimum(day.open, day.close))
    assert np.all(day.high >= np.maximum(day.open, day.close))
    assert np.all(day.volume > 0)
    assert np.all(day.close % 1000 == 0)
    assert np.all(day.low * day.volume <= day.value * 1.000001)


def test_the_price_is_continuous_over_midnight() -> None:
    synthetic = market()
    for day in range(DAY, DAY + 10):
        gap = np.log(synthetic.day(day + 1).open[0] / synthetic.day(day).close[-1])
        assert abs(gap) < 0.01


def test_volatility_clusters_so_that_a_model_has_something_to_learn() -> None:
    moves = np.abs(np.concatenate([returns(market().day(DAY + i)) for i in range(20)]))
    for lag, least in ((1, 0.15), (30, 0.08)):
        assert np.corrcoef(moves[:-lag], moves[lag:])[0, 1] > least


def test_quiet_markets_have_minutes_without_a_trade_and_busy_ones_hardly_any() -> None:
    assert len(market("KRW-ICX").day(DAY)) < 700
    assert len(market("KRW-BTC").day(DAY)) > 1430


def test_a_closed_candle_is_all_of_its_minute_s_trades() -> None:
    synthetic = market()
    for minute in range(NOON, NOON + 30):
        closed = synthetic.day(DAY).between(minute, minute + 1)
        assert is_same(synthetic.ticks(minute).as_candle(minute), closed)


def test_the_forming_candle_only_ever_widens_until_it_is_the_closed_one() -> None:
    book = Book(market())
    volumes = []
    for second in range(1, 60):
        forming = book.forming(1, NOON * 60_000 + second * 1000)
        volumes.append(float(forming.volume[0]) if len(forming) else 0.0)
    assert volumes == sorted(volumes)
    assert is_same(book.forming(1, NOON * 60_000 + 59_999), book.candle_at(1, NOON))


@pytest.mark.parametrize("unit", [3, 5, 10, 15, 30, 60, 240])
def test_wider_candles_are_exact_aggregates_of_minutes(unit: int) -> None:
    book = Book(market("KRW-DOGE"))
    wide = book.candle_at(unit, NOON)
    parts = book.market.day(DAY).between(NOON, NOON + unit)
    assert wide.open[0] == parts.open[0]
    assert wide.close[0] == parts.close[-1]
    assert wide.high[0] == parts.high.max()
    assert wide.low[0] == parts.low.min()
    assert wide.volume[0] == pytest.approx(parts.volume.sum(), abs=1e-7)
    assert wide.value[0] == pytest.approx(parts.value.sum(), rel=1e-12)


def test_a_shift_keeps_the_past_and_scales_what_follows() -> None:
    calm = market().day(DAY)
    wild = market("KRW-BTC", 7, Shift(NOON, volatility=3.0, volume=4.0)).day(DAY)
    assert is_same(calm.between(0, NOON), wild.between(0, NOON))
    later = (NOON, NOON + 720)
    ratio = returns(wild.between(*later)).std() / returns(calm.between(*later)).std()
    assert ratio == pytest.approx(3.0, rel=0.05)
    assert wild.between(*later).volume.sum() / calm.between(*later).volume.sum() == pytest.approx(
        4.0, rel=0.1
    )


def test_a_shift_ends_and_the_price_stays_continuous() -> None:
    shifted = market("KRW-BTC", 7, Shift(NOON, NOON + 60, volatility=5.0, drift=1.0))
    after = shifted.day(DAY).between(NOON + 61, NOON + 700)
    calm = market().day(DAY).between(NOON + 61, NOON + 700)
    assert returns(after).std() == pytest.approx(returns(calm).std(), rel=0.05)
    assert abs(np.log(shifted.day(DAY + 1).open[0] / shifted.day(DAY).close[-1])) < 0.01
    assert np.abs(returns(shifted.day(DAY))).max() < 0.1


def test_adding_a_shift_reaches_a_market_that_has_cached_the_day() -> None:
    schedule = ShiftSchedule()
    synthetic = SyntheticMarket(profile("KRW-BTC"), 7, schedule)
    before = synthetic.day(DAY)
    schedule.add(Shift(NOON, volatility=3.0, market="KRW-BTC"))
    assert not is_same(before, synthetic.day(DAY))


def test_a_scenario_file_gives_shifts_at_times_and_offsets(tmp_path: Path) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text(
        '[[shift]]\nat = "2026-01-05T13:00:00Z"\nvolatility = "x3"\nduration = 600\n'
        "[[shift]]\nafter_seconds = 60\ndrift = -0.1\nvolume = 2\n"
    )
    first, second = load_scenario(file, BASE_AT)
    one_o_clock = int(datetime(2026, 1, 5, 13, tzinfo=UTC).timestamp()) // 60
    assert first == Shift(one_o_clock, one_o_clock + 10, volatility=3.0)
    assert second == Shift(one_o_clock - 58, drift=-0.1, volume=2.0)


@pytest.mark.parametrize(
    "fields", [{"volatilty": 3}, {"volatility": "much"}, {"volume": 0}, {"at": "tomorrow"}]
)
def test_a_wrong_shift_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        parse_shift(fields, BASE_AT, "scenario")


def scripted(**fields: object) -> Columns:
    """A day of a market that a scenario makes unusual."""
    (listing,) = parse_market({"code": "KRW-ODD", **fields}, BASE_AT, "scenario")
    return SyntheticMarket(listing.profile, 7, ShiftSchedule()).day(DAY)


@pytest.mark.parametrize("idle", [0.05, 0.2, 0.8])
def test_a_script_says_in_how_many_minutes_nothing_is_traded(idle: float) -> None:
    assert len(scripted(idle=idle)) / MINUTES_PER_DAY == pytest.approx(1 - idle, abs=0.03)


def test_a_scripted_price_stands_from_a_minute_on() -> None:
    at = datetime.fromtimestamp(NOON * 60, UTC).isoformat()
    day = scripted(still_at=at, idle=0)
    assert len(np.unique(day.close[:720])) > 1
    assert len(np.unique([*day.low[720:], *day.high[720:]])) == 1


def test_a_scripted_market_has_its_price_its_ticks_and_its_jumps() -> None:
    small = scripted(price=3e-8, tick=1e-8, volatility=0.2)
    assert small.low.min() >= 1e-8
    assert np.allclose(small.close / 1e-8, np.round(small.close / 1e-8))
    jumps = np.abs(returns(scripted(price=1000, step=0.3, volatility=1.0)))
    assert 0 < np.count_nonzero(jumps > 0.25) < 200
    assert not np.any((jumps > 0.01) & (jumps < 0.25))


def test_a_renamed_market_keeps_its_history_under_the_new_code() -> None:
    fields = {"code": "KRW-OLD", "renamed_to": "KRW-NEW", "delisted_after_seconds": 60}
    old, new = parse_market(fields, BASE_AT, "scenario")
    minute = int(BASE_AT.timestamp()) // 60 + 2
    assert (old.is_listed(minute - 1), new.is_listed(minute - 1)) == (True, False)
    assert (old.is_listed(minute), new.is_listed(minute)) == (False, True)
    days = [SyntheticMarket(each.profile, 7, ShiftSchedule()).day(DAY) for each in (old, new)]
    assert is_same(*days)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"code": "odd"},
        {"code": "KRW-ODD", "idle": 1},
        {"code": "KRW-ODD", "idel": 0.5},
        {"code": "KRW-ODD", "renamed_to": "KRW-NEW"},
        {"code": "KRW-ODD", "still_at": "2026-01-05", "still_after_seconds": 0},
    ],
)
def test_a_wrong_market_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        parse_market(fields, BASE_AT, "scenario")


def test_a_market_stands_once_in_a_scenario(tmp_path: Path) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text('[[market]]\ncode = "KRW-ODD"\n' * 2)
    with pytest.raises(ConfigError, match="KRW-ODD is there twice"):
        load_markets(file, BASE_AT)
