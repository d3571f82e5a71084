"""Candles as the exchange sends them and as the store keeps them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

TIMEFRAMES = (1, 3, 5, 10, 15, 30, 60, 240)
"""Candle widths in minutes; an exchange may serve fewer."""


def impossible(
    opened: float, high: float, low: float, close: float, volume: float, value: float
) -> str:
    """Return why no trades can have made such a candle, "" when they can."""
    prices = {"open": opened, "high": high, "low": low, "close": close}
    for name, price in prices.items():
        if not (math.isfinite(price) and price > 0.0):
            return f"{name} is {price:.10g}, not a price above 0"
    for name, amount in (("volume", volume), ("value", value)):
        if not (math.isfinite(amount) and amount >= 0.0):
            return f"{name} is {amount:.10g}, not a number from 0 on"
    if high < low:
        return f"high {high:.10g} is below low {low:.10g}"
    for name in ("open", "close"):
        if not low <= prices[name] <= high:
            return f"{name} {prices[name]:.10g} is outside low {low:.10g} and high {high:.10g}"
    return ""


@dataclass(frozen=True, slots=True)
class RawCandle:
    """One minute-candle as `candles_raw` keeps it; an exchange's adapter fills in its own values.

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

    @property
    def opens_at(self) -> datetime:
        """The opening time as an aware instant; the exchange sends UTC without a zone."""
        return datetime.fromisoformat(self.candle_date_time_utc).replace(tzinfo=UTC)

    def typed(self) -> Candle:
        """Return the candle as the store keeps it."""
        return Candle(
            market=self.market,
            unit=self.unit,
            candle_date_time_utc=self.opens_at,
            open=self.opening_price,
            high=self.high_price,
            low=self.low_price,
            close=self.trade_price,
            volume=self.candle_acc_trade_volume,
            value=self.candle_acc_trade_price,
        )


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
    def why_impossible(self) -> str:
        """Why no trades can have made it, "" when they can."""
        return impossible(self.open, self.high, self.low, self.close, self.volume, self.value)

    @property
    def closes_at(self) -> datetime:
        """The instant at which this candle stops forming."""
        return self.candle_date_time_utc + timedelta(minutes=self.unit)


@dataclass(frozen=True, slots=True)
class LiveCandle:
    """The forming candle of a market as last received, from the stream or while that is quiet by REST."""

    candle: Candle
    received_at: datetime


class IngestionState(StrEnum):
    """How candles of a market and timeframe arrive, or why they do not."""

    STREAMING = "streaming"
    """The stream shows the forming candle, REST confirms closed ones."""
    POLLING = "polling"
    """No stream at the moment; prices come by REST too."""
    BACKFILLING = "backfilling"
    """Live, while gaps or history are being filled."""
    SILENT = "silent"
    """The stream is connected but sends nothing; prices come by REST too."""
    DISCONNECTED = "disconnected"
    """REST does not answer, or with a server error."""
    BLOCKED = "blocked"
    """The exchange refuses this host until a stated time."""
    GARBLED = "garbled"
    """REST answers with something else than candles, such as an HTML page."""
    REJECTED = "rejected"
    """REST refuses the request itself: no such market or timeframe."""
    MISCONFIGURED = "misconfigured"
    """The changed configuration cannot be used; the one before goes on."""
    STORE_DOWN = "store-down"
    """Candles could not be stored lately; written when the store is back."""


@dataclass(frozen=True, slots=True)
class IngestionStatus:
    """What the ingestor says about one market and timeframe.

    `state` is one of `IngestionState`; `message` says what is wrong, `since_at` since when, and
    `next_step` what happens next or what to do; all empty when nothing is wrong. `watermark_at` is the
    closing time of the newest candle stored with no unproven gap before it; `expected_until_at` the
    newest close of the exchange that should be proven by now.
    """

    market: str
    unit: int
    state: str
    heartbeat_at: datetime
    last_tick_at: datetime | None = None
    watermark_at: datetime | None = None
    message: str = ""
    since_at: datetime | None = None
    next_step: str = ""
    expected_until_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """Expected intervals [start_at, end_at) that are not proven.

    `found_at` and `cause` (outage, restart, audit) say how it became known, None and empty before it is
    recorded.
    """

    market: str
    unit: int
    start_at: datetime
    end_at: datetime
    found_at: datetime | None = None
    cause: str = ""
