"""A seeded market, computed for any minute without storing it.

Everything of a UTC day comes from one counter-based generator (Philox) keyed by seed, market and day;
the price level at the day's edges from one series of daily returns. Inside a day the minute returns
are a bridge between the two levels, with variances

    sigma_i = daily volatility / sqrt(1440) * exp(v_day + h_i) * season_i

where `v_day` is persistent over weeks, `h_i` sums value noise at 6 h, 90 min and 20 min (volatility
clusters on the scales that a quantile model can use), and a few minutes a day jump. Traded volume
leads volatility by some minutes. Within a minute the trades are again a bridge, so that a forming
candle is a truncation of the closed one. Prices are rounded to the exchange's tick size.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from appliance.simulator.caches import MarketCaches
from appliance.simulator.columns import (
    Columns,
    Floats,
    Ticks,
    empty,
    running_sum,
    values,
)
from appliance.simulator.day_paths import MAX_TRADES, DayPaths
from appliance.simulator.listing import MarketProfile, tick_table
from appliance.simulator.shifts import ShiftSchedule
from appliance.simulator.windows import MINUTES_PER_DAY, MS_PER_MINUTE, Integers

LISTED_AT = datetime(2017, 9, 25, 3, tzinfo=UTC)
LAST_YEAR = 2060
_FIRST_MINUTE = int(LISTED_AT.timestamp()) // 60
_FIRST_DAY = _FIRST_MINUTE // MINUTES_PER_DAY
_DAYS = (LAST_YEAR - 2017 + 1) * 366
_LEVEL_REVERSION = 0.004  # per day; keeps the price within about a factor of two of its level
_DAILY_PERSISTENCE = 0.95
_DAILY_SPREAD = 0.35
_SCALES = ((360, 0.28), (90, 0.32), (20, 0.28))  # minutes between knots, standard deviation
_LEAD_MINUTES = 5
_JUMP_CHANCE = 3.0 / MINUTES_PER_DAY
_JUMP_SIZE = 6.0
# Mean absolute one-minute return by UTC hour, relative to the day's mean (KRW-BTC, September 2025).
_HOURS = (
    *(1.08, 0.9, 0.86, 0.85, 0.84, 0.78, 0.79, 0.81, 0.93, 0.85, 0.85, 0.85),
    *(1.1, 1.32, 1.42, 1.22, 1.24, 1.26, 1.24, 1.13, 1.02, 0.89, 0.83, 0.84),
)


@dataclass(frozen=True, slots=True)
class _Latent:
    """A day without shifts: 1441 log levels and, per minute, volatility and its log deviation."""

    level: Floats
    sigma: Floats
    excitement: Floats
    season: Floats


class SyntheticMarket:
    """One market of the synthetic exchange; see the module's docstring."""

    base_unit = 1
    first_minute = _FIRST_MINUTE

    def __init__(
        self,
        profile: MarketProfile,
        seed: int,
        shifts: ShiftSchedule,
        caches: MarketCaches | None = None,
    ) -> None:
        self.code = profile.code
        self._profile = profile
        self._shifts = shifts
        digest = hashlib.sha256(f"{seed}:{profile.drawn_as or profile.code}".encode()).digest()
        self._key = int.from_bytes(digest[:8], "little")
        ticks = ((0.0, profile.tick),) if profile.tick else tick_table(profile.code)
        bounds, sizes = zip(*ticks, strict=True)
        self._tick_bounds, self._tick_sizes = np.array(bounds), np.array(sizes)
        self._daily_levels, self._daily_excitement = self._daily_series()
        self._caches = caches or MarketCaches()
        self._edge_levels: dict[int, float] = {}

    def day(self, day: int) -> Columns:
        """Return every minute candle of a UTC day (days since 1970), the future included."""
        if not _FIRST_DAY <= day < _FIRST_DAY + _DAYS - 1:
            return empty()
        return self._caches.days.get_or(self._key_of(day), lambda: self._candles(day))

    @property
    def version(self) -> int:
        """Changes when what has not happened yet becomes different."""
        return self._shifts.version

    def _key_of(self, day: int) -> tuple[str, int, int]:
        return self.code, day, self._shifts.version

    def is_cached(self, day: int) -> bool:
        """Whether a day is there without being computed."""
        return self._caches.days.peek(self._key_of(day)) is not None

    def seconds(self, hour: int) -> Columns:
        """Return every one-second candle of an hour (since 1970), the future included."""
        day, first = divmod(hour * 60, MINUTES_PER_DAY)
        if not _FIRST_MINUTE <= hour * 60 < (_FIRST_DAY + _DAYS - 1) * MINUTES_PER_DAY:
            return empty()
        return self._day_paths(day).ticks(first, first + 60).by_second()

    def ticks(self, minute: int) -> Ticks:
        """Return every trade of a minute (since 1970)."""
        day, index = divmod(minute, MINUTES_PER_DAY)
        if minute < _FIRST_MINUTE:
            return Ticks(np.empty(0, np.int64), np.empty(0), np.empty(0))
        return self._day_paths(day).ticks(index, index + 1)

    def yearly_range(self, day: int) -> tuple[tuple[int, float], tuple[int, float]]:
        """Return (day, price) of the lowest and highest daily level of the 364 days before `day`."""
        first = max(0, day - 364 - _FIRST_DAY)
        levels = self._daily_levels[first : max(first + 1, day - _FIRST_DAY + 1)]
        low, high = int(levels.argmin()), int(levels.argmax())
        prices = self._rounded(np.exp(levels[[low, high]]))
        return (_FIRST_DAY + first + low, float(prices[0])), (
            _FIRST_DAY + first + high,
            float(prices[1]),
        )

    def _generator(self, stream: int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=np.array([self._key, stream], np.uint64)))

    def _daily_series(self) -> tuple[Floats, Floats]:
        """Return the log level at each day's start and the day's persistent log volatility."""
        shocks = self._generator(1 << 40).standard_normal((2, _DAYS))
        excitement = np.empty(_DAYS)
        level = np.empty(_DAYS)
        v, x = 0.0, 0.0
        innovation = _DAILY_SPREAD * np.sqrt(1.0 - _DAILY_PERSISTENCE**2)
        for i in range(_DAYS):
            v = _DAILY_PERSISTENCE * v + innovation * shocks[0, i]
            excitement[i] = v
            level[i] = x
            size = self._profile.volatility * np.exp(v - _DAILY_SPREAD**2)
            x += size * shocks[1, i] - _LEVEL_REVERSION * x
        return level + np.log(self._profile.price), excitement

    def _knots(self, day: int) -> list[Floats]:
        draws = self._generator((2 << 40) + day)
        return [draws.standard_normal(MINUTES_PER_DAY // scale) * size for scale, size in _SCALES]

    def _excitement(self, day: int) -> Floats:
        """Return log volatility of the day's minutes and `_LEAD_MINUTES` more, relative to usual."""
        minutes = np.arange(MINUTES_PER_DAY + _LEAD_MINUTES)
        today, tomorrow = self._knots(day), self._knots(day + 1)
        index = day - _FIRST_DAY
        total: Floats = np.interp(
            minutes, (0, MINUTES_PER_DAY), self._daily_excitement[index : index + 2]
        )
        for (scale, _), now, then in zip(_SCALES, today, tomorrow, strict=True):
            total = total + np.interp(
                minutes, np.arange(len(now) + 2) * scale, np.concatenate([now, then[:2]])
            )
        return total

    def _latent(self, day: int) -> _Latent:
        excitement = self._excitement(day)
        clock = np.arange(MINUTES_PER_DAY) / 60.0 - 0.5
        season = np.interp(clock, np.arange(24), _HOURS, period=24)
        spread = _DAILY_SPREAD**2 + sum(size**2 for _, size in _SCALES)
        usual = self._profile.volatility / np.sqrt(MINUTES_PER_DAY)
        now = excitement[:MINUTES_PER_DAY]
        sigma = usual * np.exp(now - spread * 0.8) * season
        draws = self._generator((3 << 40) + day)
        shock = draws.standard_normal(MINUTES_PER_DAY)
        is_jump = draws.random(MINUTES_PER_DAY) < _JUMP_CHANCE
        returns = sigma * shock * np.where(is_jump, _JUMP_SIZE, 1.0)
        start, end = self._daily_levels[day - _FIRST_DAY : day - _FIRST_DAY + 2]
        weights = sigma**2 / np.sum(sigma**2)
        returns = returns + (end - start - returns.sum()) * weights
        level = np.concatenate([[start], start + np.cumsum(returns)])
        return _Latent(level, sigma, excitement, season)

    def _shifted(self, day: int, latent: _Latent) -> tuple[Floats, Floats, Floats]:
        """Return 1441 log levels, and per minute the volatility and volume factors."""
        first = day * MINUTES_PER_DAY
        minutes = np.arange(first, first + MINUTES_PER_DAY)
        volatility, drift, volume = self._shifts.factors(self.code, minutes)
        returns = np.diff(latent.level) * volatility + drift
        start = self._shifted_level(first)
        return np.concatenate([[start], start + np.cumsum(returns)]), volatility, volume

    def _shifted_level(self, minute: int) -> float:
        """Return the log level at a minute's start with all shifts before it applied."""
        edges = [edge for edge in self._shifts.edges(self.code) if edge < minute]
        if not edges:
            return self._base_level(minute)
        level = self._base_level(edges[0])
        for start, end in zip(edges, [*edges[1:], minute], strict=True):
            volatility, drift, _ = self._shifts.factors(self.code, np.array([start]))
            change = self._base_level(end) - self._base_level(start)
            level += change * float(volatility[0]) + float(drift[0]) * (end - start)
        return level

    def _base_level(self, minute: int) -> float:
        if minute not in self._edge_levels:
            day, index = divmod(max(minute, _FIRST_MINUTE), MINUTES_PER_DAY)
            if len(self._edge_levels) > 4096:
                self._edge_levels.clear()
            level = (
                self._latent(day).level[index] if index else self._daily_levels[day - _FIRST_DAY]
            )
            self._edge_levels[minute] = float(level)
        return self._edge_levels[minute]

    def _day_paths(self, day: int) -> DayPaths:
        return self._caches.paths.get_or(self._key_of(day), lambda: self._draw_paths(day))

    def _draw_paths(self, day: int) -> DayPaths:
        latent = self._latent(day)
        level, volatility, volume_factor = self._shifted(day, latent)
        draws = self._generator((4 << 40) + day)
        shape = (MINUTES_PER_DAY, MAX_TRADES)
        activity = latent.excitement[_LEAD_MINUTES:]
        expected = self._profile.trades * np.exp(0.5 * activity) * np.sqrt(latent.season)
        counts = self._idle(day, np.minimum(draws.poisson(expected), MAX_TRADES))
        step = np.arange(1, MAX_TRADES + 1)
        is_real = step <= counts[:, None]
        # Within the minute: a bridge of `counts` steps from its first to its last log level.
        scale = latent.sigma * volatility * 0.7 / np.sqrt(np.maximum(counts, 1))
        walk = np.cumsum(np.where(is_real, draws.standard_normal(shape), 0.0), axis=1)
        share = np.minimum(step / np.maximum(counts, 1)[:, None], 1.0)
        bridge = (walk - share * walk[:, -1:]) * scale[:, None]
        path = level[:-1, None] + bridge + share * np.diff(level)[:, None]
        price = self._rounded(np.exp(np.clip(self._scripted(day, path), -30.0, 40.0)))
        mood = np.exp(0.7 * activity + 0.5 * draws.standard_normal(MINUTES_PER_DAY) - 0.35)
        usual = self._profile.turnover / MINUTES_PER_DAY / self._profile.trades
        trade_value = usual * (mood * latent.season * volume_factor)[:, None]
        volume = np.round(trade_value * draws.exponential(size=shape) / price, 8)
        offset = np.where(is_real, draws.random(shape), 2.0)
        offset.sort(axis=1)
        opens = (day * MINUTES_PER_DAY + np.arange(MINUTES_PER_DAY)) * MS_PER_MINUTE
        at = opens[:, None] + (offset * (MS_PER_MINUTE - 1)).astype(np.int64)
        return DayPaths(counts, price, np.maximum(volume, 1e-8), at)

    def _idle(self, day: int, counts: Integers) -> Integers:
        """Return the trades of each minute, none in the share of minutes that a script asks for."""
        idle = self._profile.idle
        if idle is None:
            return counts
        is_idle = self._generator((5 << 40) + day).random(MINUTES_PER_DAY) < idle
        return np.where(is_idle, 0, np.maximum(counts, 1))

    def _scripted(self, day: int, path: Floats) -> Floats:
        """Return (1440, MAX_TRADES) log prices that stand still, or move by steps, where a script says so."""
        step, still_from = self._profile.step, self._profile.still_from
        if still_from is not None:
            minutes = day * MINUTES_PER_DAY + np.arange(MINUTES_PER_DAY)
            path = np.where(minutes[:, None] >= still_from, self._shifted_level(still_from), path)
        return path if step is None else np.round(path / step) * step

    def _candles(self, day: int) -> Columns:
        paths = self._day_paths(day)
        minutes = np.arange(MINUTES_PER_DAY)
        has_trade = paths.counts > 0
        has_trade &= day * MINUTES_PER_DAY + minutes >= _FIRST_MINUTE
        last = np.maximum(paths.counts - 1, 0)
        is_real = paths.is_real()
        volume = np.where(is_real, paths.volume, 0.0)
        columns = Columns(
            opens=(day * MINUTES_PER_DAY + minutes).astype(np.int64),
            open=paths.price[:, 0],
            high=np.where(is_real, paths.price, -np.inf).max(axis=1),
            low=np.where(is_real, paths.price, np.inf).min(axis=1),
            close=paths.price[minutes, last],
            volume=np.round(running_sum(volume)[:, -1], 8),
            value=np.round(running_sum(values(paths.price, volume))[:, -1], 8),
            stamp=paths.at[minutes, last],
        )
        return columns.rows(has_trade)

    def _rounded(self, price: Floats) -> Floats:
        bands = np.searchsorted(self._tick_bounds, price, side="right") - 1
        size = self._tick_sizes[bands]
        rounded: Floats = np.maximum(np.round(np.round(price / size) * size, 8), size)
        return rounded
