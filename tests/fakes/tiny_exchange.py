"""A second exchange and its adapter: other codes, arrays for candles, epoch seconds, pages of 50, no stream.

`tests/integration/test_ingest_second_exchange.py` enters it into the table of exchanges.
"""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

import httpx

from appliance.domain.candle import LiveCandle, RawCandle
from appliance.errors import ExchangeCode, ExchangeRejected, ExchangeUnavailable
from appliance.exchange.port import Adapter, Exchange, Stream, Subscription

NOW = datetime(2026, 1, 5, 12, 0, 30, tzinfo=UTC)
CANDLES = 250
"""Minutes of history there are before the one that forms."""


class _Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        forming = int(NOW.timestamp()) // 60 * 60
        opens = [forming - 60 * i for i in range(CANDLES)]
        rows = [_row(at) for at in opens if at < int(asked.get("before", "9" * 12))]
        is_listed = asked.get("pair", "btc_krw") == "btc_krw"
        body = json.dumps(rows[: int(asked.get("limit", "50"))] if is_listed else "no such pair")
        self.send_response(200 if is_listed else 400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


def _row(at: int) -> list[float]:
    """Return opening time, open, high, low, close and volume."""
    price = 1000.0 + at // 60 % 7
    return [at, price, price + 2, price - 2, price + 1, 3.0]


@contextmanager
def running_exchange() -> Iterator[str]:
    """Yield the base URL of the exchange on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Client:
    """The REST side."""

    page_size = 50

    def __init__(self, url: str, speed: float) -> None:
        self.speed = speed
        self._http = httpx.Client(base_url=url, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def minute_candles(
        self,
        market: str,
        unit: int,
        to: datetime | None = None,
        count: int = 50,
        *,
        is_bulk: bool = False,
    ) -> list[RawCandle]:
        quote, base = market.lower().split("-")
        asked = {"pair": f"{base}_{quote}", "limit": str(min(count, self.page_size))}
        if to is not None:
            asked["before"] = str(int(to.timestamp()))
        try:
            reply = self._http.get("/ohlc", params=asked)
        except httpx.HTTPError as error:
            raise ExchangeUnavailable("no answer", code=ExchangeCode.UNREACHABLE) from error
        if reply.status_code == 400:
            raise ExchangeRejected(
                f"{market} is not a pair", code=ExchangeCode.UNKNOWN_MARKET, hint="remove it"
            )
        return [_raw(market, unit, row) for row in reply.json()]

    def markets(self) -> list[str]:
        return ["KRW-BTC"]

    def known_time(self) -> datetime | None:
        return NOW

    def exchange_now(self) -> datetime:
        return NOW


class _Silence:
    """The stream of an exchange without one."""

    async def subscribe(self, markets: Sequence[str], units: Sequence[int]) -> None:
        """Take note of nothing."""

    def quiet_seconds(self) -> float:
        return math.inf

    async def candles(self) -> AsyncIterator[LiveCandle]:
        await asyncio.Event().wait()
        for never in ():
            yield never


class _TinyAdapter:
    timeframes = (1, 5)

    def identity(self, rest_url: str) -> tuple[str, str]:
        return "tiny", "Tiny"

    def stream_url(self, rest_url: str) -> str:
        return rest_url

    def answers(self, rest_url: str) -> bool:
        return True

    def open_rest(
        self,
        rest_url: str,
        per_second: int,
        speed: float,
        transport: httpx.BaseTransport | None,
    ) -> Exchange:
        return _Client(rest_url, speed)

    def open_stream(self, subscription: Subscription) -> Stream:
        return _Silence()


ADAPTER: Adapter = _TinyAdapter()


def _raw(market: str, unit: int, row: Sequence[float]) -> RawCandle:
    at, opened, high, low, close, volume = row
    opens_at = datetime.fromtimestamp(at, UTC)
    return RawCandle(
        market=market,
        candle_date_time_utc=opens_at.strftime("%Y-%m-%dT%H:%M:%S"),
        candle_date_time_kst=(opens_at + timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M:%S"),
        opening_price=opened,
        high_price=high,
        low_price=low,
        trade_price=close,
        timestamp=int(at * 1000),
        candle_acc_trade_price=close * volume,
        candle_acc_trade_volume=volume,
        unit=unit,
    )
