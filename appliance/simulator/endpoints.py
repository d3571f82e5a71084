"""What each path of `/v1` answers."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable

from appliance.domain.candle import TIMEFRAMES
from appliance.simulator.book import Book, Page
from appliance.simulator.exchange import Exchange
from appliance.simulator.query import INVALID, MISSING, Request
from appliance.simulator.quirks import RestQuirks
from appliance.simulator.render import decimal
from appliance.simulator.replies import Refusal
from appliance.simulator.simulated_time import day_of
from appliance.simulator.ticker import rest_row, ticker
from appliance.simulator.windows import DAY, MONTH, SECOND, WEEK, YEAR

_QUOTE_FLAGS = (
    "PRICE_FLUCTUATIONS",
    "TRADING_VOLUME_SOARING",
    "DEPOSIT_AMOUNT_SOARING",
    "GLOBAL_PRICE_DIFFERENCES",
    "CONCENTRATION_OF_SMALL_ACCOUNTS",
)
_MINUTES = "/v1/candles/minutes/"
_MINUTE_UNITS = frozenset(map(str, TIMEFRAMES))
_UNITS = {"seconds": SECOND, "days": DAY, "weeks": WEEK, "months": MONTH, "years": YEAR}
_ROW = re.compile(rb'("candle_date_time_utc":"([0-9-]+)T.*?"trade_price":([0-9.]+).*?)\}')

Handler = Callable[[Request], Awaitable[Page]]


class Endpoints:
    """Finds the handler of a path with the group whose limit it counts against."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._quirks = RestQuirks(exchange.faults)
        self._handlers: dict[str, tuple[str, Handler]] = {
            "/v1/candles/days": ("candles", self._days),
            "/v1/market/all": ("market", self._markets),
            "/v1/ticker": ("ticker", self._ticker),
            "/v1/ticker/all": ("ticker", self._ticker_all),
        }
        for name, unit in _UNITS.items():
            self._handlers.setdefault(f"/v1/candles/{name}", ("candles", self._candles_of(unit)))

    def find(self, path: str) -> tuple[str, Handler | None]:
        """Return (group, handler); no handler for an unknown path."""
        if path.startswith(_MINUTES):
            return "candles", self._minutes
        return self._handlers.get(path, ("", None))

    async def _minutes(self, request: Request) -> Page:
        unit = request.path.removeprefix(_MINUTES)
        if unit not in _MINUTE_UNITS:
            raise Refusal(400, "specified unit is not valid.")
        return await self._candles(request, int(unit))

    def _candles_of(self, unit: int) -> Handler:
        async def handler(request: Request) -> Page:
            return await self._candles(request, unit)

        return handler

    async def _days(self, request: Request) -> Page:
        page = await self._candles(request, DAY)
        currency = request.value("converting_price_unit", "convertingPriceUnit")
        if not currency:
            return page
        if currency.upper() != "KRW":
            raise Refusal(400, INVALID)
        return self._converted(page, request.joined("market").upper())

    def _converted(self, page: Page, market: str) -> Page:
        """Return days with their closing price in KRW, at the price of its quote currency then."""
        quote = market.partition("-")[0]
        book = None if quote == "KRW" else self._known(f"KRW-{quote}", 400, INVALID)

        def add(row: re.Match[bytes]) -> bytes:
            rate = 1.0 if book is None else self._close_on(book, row[2].decode())
            price = decimal(float(row[3]) * rate)
            return row[1] + f',"converted_trade_price":{price}}}'.encode()

        return Page((_ROW.sub(add, page.body()),), is_list=False)

    def _close_on(self, book: Book, day: str) -> float:
        """Return a book's price at the end of a day, or now if that is earlier."""
        end = (day_of(day) + 1) * DAY
        now = self._exchange.time.now()
        if end * 60_000 > now:
            return float(book.newest(1, now).close[0])
        return book.close_before(end) or 0.0

    async def _candles(self, request: Request, unit: int) -> Page:
        market = request.joined("market")
        if not market:
            raise Refusal(400, MISSING)
        book = self._known(market.upper())
        to, count, now = request.to(), request.count(), self._exchange.time.now()
        quirk = self._quirks.view(unit, to, now)
        if quirk is None:
            return await book.page(unit, to, count, now)
        return await book.viewed_page(unit, to, count, now, *quirk)

    async def _markets(self, request: Request) -> Page:
        is_detailed = request.value("is_details", "isDetails").lower() == "true"
        rows = []
        for code in self._exchange.codes:
            name = self._exchange.name(code)
            row: dict[str, object] = {"market": code, "korean_name": name, "english_name": name}
            if is_detailed:
                flags = dict.fromkeys(_QUOTE_FLAGS, False)
                row["market_event"] = {"warning": False, "caution": flags}
            rows.append(row)
        return Page((json.dumps(rows, separators=(",", ":")).encode(),), is_list=False)

    async def _ticker(self, request: Request) -> Page:
        codes = request.joined("markets")
        if not codes:
            raise Refusal(400, MISSING)
        return self._ticker_rows([code.strip().upper() for code in codes.split(",")])

    async def _ticker_all(self, request: Request) -> Page:
        quotes = request.joined("quote_currencies")
        if not quotes:
            raise Refusal(400, MISSING)
        wanted = {quote.strip().upper() for quote in quotes.split(",")}
        codes = [code for code in self._exchange.codes if code.partition("-")[0] in wanted]
        return self._ticker_rows(codes)

    def _ticker_rows(self, codes: list[str]) -> Page:
        now = self._exchange.time.now()
        states = [ticker(self._known(code), now) for code in codes]
        return Page(tuple(f"{rest_row(state)},".encode() for state in states if state is not None))

    def _known(self, code: str, status: int = 404, message: str = "Code not found") -> Book:
        book = self._exchange.book(code)
        if book is None:
            raise Refusal(status, message)
        return book
