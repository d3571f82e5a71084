"""Candles as the exchange sends them and as the store keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

TIMEFRAMES = (1, 3, 5, 10, 15, 30, 60, 240)
"""Candle widths in minutes that Upbit serves."""


@dataclass(frozen=True, slots=True)
class RawCandle:
    """One minute-candle exactly as Upbit's REST API names its fields.

    `candle_date_time_utc` and `_kst` are the opening time as sent (no zone suffix); `timestamp`
    is the last tick in milliseconds and is not a key.
    """

    market: str
    candle_date_time_utc: str
    candle_date_time_kst: str
    opening_price: float
    high_price: float
    low_price: float
    trade_price: float
    timestamp: int
    candle_acc_trade_price: float
    candle_acc_trade_volume: float
    unit: int


@dataclass(frozen=True, slots=True)
class Candle:
    """One typed candle.

    Prices and `value` are in the quote currency (KRW), `volume` in the base currency;
    `candle_date_time_utc` is the aware UTC opening time; `unit` the width in minutes.
    """

    market: str
    unit: int
    candle_date_time_utc: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    value: float

    @property
    def closes_at(self) -> datetime:
        """The instant at which this candle stops forming."""
        return self.candle_date_time_utc + timedelta(minutes=self.unit)


@dataclass(frozen=True, slots=True)
class LiveCandle:
    """The forming candle of a market as last received from the stream."""

    candle: Candle
    received_at: datetime


@dataclass(frozen=True, slots=True)
class IngestionStatus:
    """What the ingestor says about one market and timeframe.

    `state` is `streaming`, `polling`, `backfilling`, `disconnected`, or `rejected` where the source
    refuses the request itself; `watermark_at` is the closing
    time of the newest candle stored with no unproven gap before it; `message` says what is wrong
    and what happens next, empty when nothing is.
    """

    market: str
    unit: int
    state: str
    heartbeat_at: datetime
    last_tick_at: datetime | None = None
    watermark_at: datetime | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """Expected intervals [start_at, end_at) that are neither stored nor proven empty."""

    market: str
    unit: int
    start_at: datetime
    end_at: datetime
