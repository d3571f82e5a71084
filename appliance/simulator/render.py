"""Candles as the JSON rows that Upbit sends: numbers with 8 decimals, times without a zone."""

from __future__ import annotations

import numpy as np

from appliance.simulator.columns import Columns, Floats, Integers

_KST_MINUTES = 540


def minute_rows(code: str, candles: Columns, unit: int) -> list[bytes]:
    """Return one JSON object per minute candle, in the order given."""
    head, tail = _parts(code, candles)
    return [f'{h},"unit":{unit}}}'.encode() for h in map("".join, zip(head, tail, strict=True))]


def day_rows(code: str, candles: Columns, close_before: float | None) -> list[bytes]:
    """Return one JSON object per day candle, in the order given, with its change since the day before."""
    head, tail = _parts(code, candles)
    opening = float(candles.open[0]) if close_before is None else close_before
    previous = [opening, *candles.close[:-1].tolist()]
    rows = []
    for start, end, close, before in zip(head, tail, candles.close.tolist(), previous, strict=True):
        change = (
            f',"prev_closing_price":{decimal(before)},"change_price":{decimal(close - before)},'
            f'"change_rate":{(close - before) / before:.10f}}}'
        )
        rows.append(f"{start}{end}{change}".encode())
    return rows


def decimal(number: float) -> str:
    """Return a number with 8 decimals, or with all it needs when 8 would change it."""
    text = f"{number:.8f}"
    return text if float(text) == number else repr(number)


def times(minutes: Integers) -> list[str]:
    """Return `YYYY-MM-DDTHH:MM:SS` of minutes since 1970."""
    stamps = (minutes * 60).astype("datetime64[s]")
    return [str(text) for text in np.datetime_as_string(stamps, unit="s").tolist()]


def _parts(code: str, candles: Columns) -> tuple[list[str], list[str]]:
    prices = zip(
        _texts(candles.open), _texts(candles.high), _texts(candles.low), _texts(candles.close),
        strict=True,
    )  # fmt: skip
    head = [
        f'{{"market":"{code}","candle_date_time_utc":"{utc}","candle_date_time_kst":"{kst}",'
        f'"opening_price":{o},"high_price":{h},"low_price":{low},"trade_price":{c}'
        for utc, kst, (o, h, low, c) in zip(
            times(candles.opens), times(candles.opens + _KST_MINUTES), prices, strict=True
        )
    ]
    tail = [
        f',"timestamp":{stamp},"candle_acc_trade_price":{value},"candle_acc_trade_volume":{volume}'
        for stamp, value, volume in zip(
            candles.stamp.tolist(), _texts(candles.value), _texts(candles.volume), strict=True
        )
    ]
    return head, tail


def _texts(numbers: Floats) -> list[str]:
    return [decimal(number) for number in numbers.tolist()]
