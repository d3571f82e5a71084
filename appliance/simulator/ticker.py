"""The ticker: what happened since the UTC day began, in 24 hours and in a year."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from appliance.simulator.book import Book
from appliance.simulator.columns import Columns, concatenate
from appliance.simulator.render import decimal
from appliance.simulator.windows import DAY, MINUTES_PER_DAY, MS_PER_MINUTE

_KST = timedelta(hours=9)


@dataclass(frozen=True, slots=True)
class Ticker:
    """State of one market; prices and `value*` in the quote currency, times in ms since 1970."""

    market: str
    open: float
    high: float
    low: float
    close: float
    previous_close: float
    trade_at: int
    trade_volume: float
    value: float
    volume: float
    value_24h: float
    volume_24h: float
    highest_52w: float
    highest_52w_on: str
    lowest_52w: float
    lowest_52w_on: str
    stamp: int

    @property
    def change(self) -> float:
        """Difference to the previous day's close."""
        return self.close - self.previous_close

    @property
    def change_word(self) -> str:
        """RISE, FALL or EVEN."""
        return "EVEN" if self.change == 0 else "RISE" if self.change > 0 else "FALL"


def ticker(book: Book, now: int) -> Ticker | None:
    """Return a market's ticker at `now` (ms since 1970), None when it never traded."""
    minute = now // MS_PER_MINUTE
    today = book.newest(DAY, now)
    if len(today) == 0:
        return None
    day = int(today.opens[0]) // MINUTES_PER_DAY
    last_day = _closed_or_forming(book, minute - MINUTES_PER_DAY, now)
    trade_at, trade_volume = _last_trade(book, now)
    (low_day, low), (high_day, high) = book.market.yearly_range(day)
    if today.high[0] >= high:
        high_day, high = day, float(today.high[0])
    if today.low[0] <= low:
        low_day, low = day, float(today.low[0])
    before = book.close_before(int(today.opens[0]))
    return Ticker(
        market=book.market.code,
        open=float(today.open[0]),
        high=float(today.high[0]),
        low=float(today.low[0]),
        close=float(today.close[0]),
        previous_close=float(today.open[0]) if before is None else before,
        trade_at=trade_at,
        trade_volume=trade_volume,
        value=float(today.value[0]),
        volume=float(today.volume[0]),
        value_24h=round(float(last_day.value.sum()), 8),
        volume_24h=round(float(last_day.volume.sum()), 8),
        highest_52w=high,
        highest_52w_on=_date(high_day),
        lowest_52w=low,
        lowest_52w_on=_date(low_day),
        stamp=trade_at + 31,
    )


def _closed_or_forming(book: Book, start: int, now: int) -> Columns:
    """Return the base candles from minute `start` to `now`, the forming one included."""
    base = book.market.base_unit
    end = now // MS_PER_MINUTE // base * base
    parts = [
        book.market.day(day).between(start, end)
        for day in range(start // MINUTES_PER_DAY, end // MINUTES_PER_DAY + 1)
    ]
    return concatenate([*parts, book.forming(base, now)])


def _last_trade(book: Book, now: int) -> tuple[int, float]:
    newest = book.newest(book.market.base_unit, now)
    ticks = book.market.ticks(int(newest.opens[0])).until(now)
    return int(ticks.at[-1]), float(ticks.volume[-1])


def _date(day: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date().isoformat()


def rest_row(state: Ticker) -> str:
    """Return the JSON object of `/v1/ticker`."""
    at = datetime.fromtimestamp(state.trade_at / 1000, UTC)
    rate = state.change / state.previous_close
    return (
        f'{{"market":"{state.market}","trade_date":"{at:%Y%m%d}","trade_time":"{at:%H%M%S}",'
        f'"trade_date_kst":"{at + _KST:%Y%m%d}","trade_time_kst":"{at + _KST:%H%M%S}",'
        f'"trade_timestamp":{state.trade_at},"opening_price":{decimal(state.open)},'
        f'"high_price":{decimal(state.high)},"low_price":{decimal(state.low)},'
        f'"trade_price":{decimal(state.close)},'
        f'"prev_closing_price":{decimal(state.previous_close)},"change":"{state.change_word}",'
        f'"change_price":{abs(state.change):.8f},"change_rate":{abs(rate):.10f},'
        f'"signed_change_price":{state.change:.8f},"signed_change_rate":{rate:.10f},'
        f'"trade_volume":{decimal(state.trade_volume)},"acc_trade_price":{state.value:.8f},'
        f'"acc_trade_price_24h":{state.value_24h:.8f},"acc_trade_volume":{state.volume:.8f},'
        f'"acc_trade_volume_24h":{state.volume_24h:.8f},'
        f'"highest_52_week_price":{decimal(state.highest_52w)},'
        f'"highest_52_week_date":"{state.highest_52w_on}",'
        f'"lowest_52_week_price":{decimal(state.lowest_52w)},'
        f'"lowest_52_week_date":"{state.lowest_52w_on}","timestamp":{state.stamp}}}'
    )


def stream_fields(state: Ticker, stream_type: str) -> dict[str, object]:
    """Return the fields of a WebSocket `ticker` message."""
    at = datetime.fromtimestamp(state.trade_at / 1000, UTC)
    rate = round(state.change / state.previous_close, 10)
    return {
        "type": "ticker",
        "code": state.market,
        "opening_price": state.open,
        "high_price": state.high,
        "low_price": state.low,
        "trade_price": state.close,
        "prev_closing_price": state.previous_close,
        "acc_trade_price": state.value,
        "change": state.change_word,
        "change_price": abs(state.change),
        "signed_change_price": state.change,
        "change_rate": abs(rate),
        "signed_change_rate": rate,
        "ask_bid": "BID" if state.trade_at % 2 else "ASK",
        "trade_volume": state.trade_volume,
        "acc_trade_volume": state.volume,
        "trade_date": f"{at:%Y%m%d}",
        "trade_time": f"{at:%H%M%S}",
        "trade_timestamp": state.trade_at,
        "acc_ask_volume": round(state.volume / 2, 8),
        "acc_bid_volume": round(state.volume - round(state.volume / 2, 8), 8),
        "highest_52_week_price": state.highest_52w,
        "highest_52_week_date": state.highest_52w_on,
        "lowest_52_week_price": state.lowest_52w,
        "lowest_52_week_date": state.lowest_52w_on,
        "market_state": "ACTIVE",
        "is_trading_suspended": False,
        "delisting_date": None,
        "market_warning": "NONE",
        "timestamp": state.stamp,
        "acc_trade_price_24h": state.value_24h,
        "acc_trade_volume_24h": state.volume_24h,
        "stream_type": stream_type,
    }
