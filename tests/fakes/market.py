"""A market source without a network: answers like the REST client, from arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from appliance.domain.candle import RawCandle

ORIGIN = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass
class FakeMarket:
    """Serves the candles that have opened by `now_at`, newest first; move `now_at` to let time pass.

    Minutes missing from `frame` had no trade.
    """

    market: str
    unit: int
    frame: pd.DataFrame
    now_at: datetime
    calls: int = 0
    failure: Exception | None = None
    speed: float = 1.0
    page_size: int = 200
    _rows: list[RawCandle] = field(default_factory=list, repr=False)
    _times: pd.DatetimeIndex = field(default_factory=lambda: pd.DatetimeIndex([]), repr=False)

    def __post_init__(self) -> None:
        self._times = pd.DatetimeIndex(self.frame["candle_date_time_utc"])
        self._rows = [_raw(self.market, self.unit, row) for row in self.frame.to_dict("records")]

    def minute_candles(
        self,
        market: str,
        unit: int,
        to: datetime | None = None,
        count: int = 200,
        *,
        is_bulk: bool = False,
    ) -> list[RawCandle]:
        assert (market, unit) == (self.market, self.unit)
        self.calls += 1
        if self.failure is not None:
            raise self.failure
        limit_at = min(to, self.now_at) if to is not None else self.now_at
        stop = int(self._times.searchsorted(pd.Timestamp(limit_at)))
        return self._rows[max(0, stop - min(count, 200)) : stop][::-1]

    def exchange_now(self) -> datetime:
        return self.now_at

    def close(self) -> None:
        self.calls += 0


def synthetic_candles(
    rows: int,
    seed: int = 7,
    volatility: float = 5e-4,
    unit: int = 1,
    start_at: datetime = ORIGIN,
    price: float = 150_000_000.0,
) -> pd.DataFrame:
    """Return candles of a market whose volatility clusters (an AR(1) in its logarithm)."""
    random = np.random.default_rng(seed)
    state = np.empty(rows)
    state[0] = 0.0
    shocks = random.normal(0.0, 0.08, rows)
    for i in range(1, rows):
        state[i] = 0.98 * state[i - 1] + shocks[i]
    sigma = volatility * np.exp(state)
    close = price * np.exp(np.cumsum(sigma * random.standard_t(5, rows) / np.sqrt(5 / 3)))
    opening = np.concatenate(([price], close[:-1]))
    wick = np.abs(random.normal(0.0, 0.5, rows)) * sigma
    return pd.DataFrame(
        {
            "candle_date_time_utc": pd.date_range(start_at, periods=rows, freq=f"{unit}min"),
            "open": opening,
            "high": np.maximum(opening, close) * np.exp(wick),
            "low": np.minimum(opening, close) * np.exp(-wick),
            "close": close,
            "volume": random.lognormal(0.0, 0.8, rows) * (1.0 + sigma / volatility),
        }
    )


def without_rows(frame: pd.DataFrame, positions: Sequence[int]) -> pd.DataFrame:
    """Return the candles without those at `positions`: minutes without a trade."""
    return frame.drop(index=list(positions)).reset_index(drop=True)


def _raw(market: str, unit: int, row: dict[str, object]) -> RawCandle:
    opens_at = pd.Timestamp(row["candle_date_time_utc"]).to_pydatetime()
    text = opens_at.strftime("%Y-%m-%dT%H:%M:%S")
    return RawCandle(
        market=market,
        candle_date_time_utc=text,
        candle_date_time_kst=(opens_at + timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M:%S"),
        opening_price=float(row["open"]),
        high_price=float(row["high"]),
        low_price=float(row["low"]),
        trade_price=float(row["close"]),
        timestamp=int(opens_at.timestamp() * 1000) + 1,
        candle_acc_trade_price=float(row["close"]) * float(row["volume"]),
        candle_acc_trade_volume=float(row["volume"]),
        unit=unit,
    )


def odd_candles(kind: str, rows: int, seed: int = 7) -> pd.DataFrame:
    """Return candles of a market that is odd in one way.

    Kinds: `flat` (trades, never another price), `constant` (flat after a normal beginning), `sparse_20`
    (20 % of the minutes without a trade, likewise 5 and 80), `jumping` (stands, then jumps by a third),
    `one_tick` (a price of 1,350 with ticks of 1 that mostly stands), `small` (a price of 2.2e-5 in
    steps of 1e-8), `dies` (no trade after two thirds).
    """
    frame = synthetic_candles(rows, seed)
    random = np.random.default_rng(seed)
    prices = ["open", "high", "low", "close"]
    name, _, percent = kind.partition("_")
    if kind == "flat":
        frame[prices] = 1_000.0
    elif kind == "constant":
        half = rows // 3
        frame.loc[half:, prices] = frame["close"].iloc[half - 1]
    elif name == "sparse":
        kept = random.random(rows) >= int(percent) / 100
        kept[0] = True
        frame = frame[kept].reset_index(drop=True)
    elif kind == "jumping":
        steps = np.where(random.random(rows) < 0.01, random.choice([-1, 1], rows) / 3, 0.0)
        close = 1_000.0 * np.exp(np.cumsum(steps) - np.cumsum(steps).mean())
        opening = np.concatenate(([1_000.0], close[:-1]))
        frame = frame.assign(open=opening, close=close)
        frame = frame.assign(high=frame[["open", "close"]].max(axis=1))
        frame = frame.assign(low=frame[["open", "close"]].min(axis=1))
    elif kind in {"one_tick", "small"}:
        moves = np.where(random.random(rows) < 0.1, random.choice([-1, 1], rows), 0)
        tick, base = (1.0, 1_350) if kind == "one_tick" else (1e-8, 2_219)
        close = (base + np.cumsum(moves).clip(-500, 500)) * tick
        opening = np.concatenate(([base * tick], close[:-1]))
        frame = frame.assign(open=opening, close=close)
        frame = frame.assign(high=frame[["open", "close"]].max(axis=1))
        frame = frame.assign(low=frame[["open", "close"]].min(axis=1))
    elif kind == "dies":
        frame = frame.iloc[: 2 * rows // 3]
    return frame
