"""REST client of the quotation API.

Facts it rests on: at most 200 candles a call; `to` is exclusive and sent aligned to the timeframe; an
`Origin` header would cut the limit to one request in ten seconds and is never sent; 429 slows every
process of this host down, 418 stops them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx

from appliance import clock
from appliance.config import outbound
from appliance.domain.candle import RawCandle
from appliance.errors import ExchangeCode, ExchangeError, ExchangeRejected, ExchangeUnavailable
from appliance.upbit.rate_limit import HostRateLimit, Slot, shared_directory
from appliance.upbit.wire import parse_candles, parse_error, parse_markets

MAX_COUNT = 200
CANDLES = "candles"
MARKET = "market"
_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_ATTEMPTS = 4
_DEFAULT_BLOCK_SECONDS = 60.0
_REMAINING = re.compile(r"\bsec=(\d+)")
_BLOCK_TIME = re.compile(r"(\d+)\s*(ms|millisecond|sec|s\b|min|hour|초|분|시간)?", re.IGNORECASE)
_UNIT_SECONDS = {"ms": 0.001, "mil": 0.001, "min": 60.0, "분": 60.0, "hou": 3600.0, "시간": 3600.0}


@dataclass(frozen=True, slots=True)
class _Observed:
    """The exchange's clock as one reply told it; `monotonic` is ours at that moment."""

    at: datetime
    monotonic: float
    speed: float

    def extrapolated(self) -> datetime:
        return self.at + timedelta(seconds=self.speed * (clock.monotonic() - self.monotonic))


class UpbitClient:
    """Synchronous, thread-safe client; one per process is enough.

    Args:
        base_url: such as `https://api.upbit.com`.
        rate_limit: the host's shared budget; see `open_client`.
        speed: exchange seconds per second; other than 1 for a simulator only.
        transport: the way to a server of this home; None goes out as the shell's settings say.
    """

    page_size = MAX_COUNT

    def __init__(
        self,
        base_url: str,
        rate_limit: HostRateLimit,
        speed: float = 1.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._rate_limit = rate_limit
        self.speed = speed
        self._observed: _Observed | None = None
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip"}
        self._http = (
            outbound.http_client(self.base_url, _TIMEOUT, headers)
            if transport is None
            else httpx.Client(
                base_url=self.base_url, timeout=_TIMEOUT, headers=headers, transport=transport
            )
        )

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
        """Close the connections."""
        self._http.close()

    def minute_candles(
        self,
        market: str,
        unit: int,
        to: datetime | None = None,
        count: int = MAX_COUNT,
        *,
        is_bulk: bool = False,
    ) -> list[RawCandle]:
        """Return up to 200 candles that open before `to` (None: now), newest first as sent.

        Without `to` the first row may still be forming. Minutes without a trade are absent. Bulk
        requests, of which several run at once, let live ones take their turn between them.

        Raises:
            ExchangeRejected: the market or timeframe does not exist.
            ExchangeUnavailable: unreachable, over the limit, blocked, or the reply is nonsense.
        """
        parameters = {"market": market, "count": str(max(1, min(count, MAX_COUNT)))}
        if to is not None:
            parameters["to"] = format_to(to, unit)
        reply = self._get(f"/v1/candles/minutes/{unit}", CANDLES, parameters, market, is_bulk)
        candles = parse_candles(reply.content)
        for candle in candles:
            if candle.market != market or candle.unit != unit:
                raise ExchangeUnavailable(
                    f"asked for {market} {unit}m, got {candle.market} {candle.unit}m",
                    code=ExchangeCode.NONSENSE,
                    hint="check source.rest_url: it does not behave like Upbit",
                )
        return candles

    def markets(self) -> list[str]:
        """Return the codes of all markets.

        Raises:
            ExchangeUnavailable: unreachable, over the limit, blocked, or the reply is nonsense.
        """
        return parse_markets(self._get("/v1/market/all", MARKET, {}, "").content)

    def known_time(self) -> datetime | None:
        """Return the exchange's present as `exchange_now`, None when it never replied; never asks."""
        return None if self._observed is None else self._observed.extrapolated()

    def exchange_now(self) -> datetime:
        """Return the exchange's present, at most about a second behind; asks it when it never replied.

        Raises:
            ExchangeUnavailable: it never replied and does not now.
        """
        if self._observed is None:
            self.markets()
        if self._observed is None:
            raise ExchangeUnavailable(
                "the market server sends no Date header",
                code=ExchangeCode.NONSENSE,
                hint="check source.rest_url: it does not behave like Upbit",
            )
        return self._observed.extrapolated()

    def _get(
        self,
        path: str,
        group: str,
        parameters: Mapping[str, str],
        market: str,
        is_bulk: bool = False,
    ) -> httpx.Response:
        for attempt in range(_ATTEMPTS):
            with self._rate_limit.acquire(group, is_bulk=is_bulk) as slot:
                reply = self._send(path, parameters, slot)
                self._take_in(reply, slot)
            if reply.status_code == 429:
                self._rate_limit.hold(group, 1.05 * 2**attempt)
                continue
            if reply.status_code != 200:
                raise self._failure(reply, market)
            return reply
        raise ExchangeUnavailable(
            f"{self.base_url} still answers 429 (too many requests) after {_ATTEMPTS} attempts",
            code=ExchangeCode.RATE_LIMITED,
            hint="look for other programs on this IP that use the same exchange",
        )

    def _send(self, path: str, parameters: Mapping[str, str], slot: Slot) -> httpx.Response:
        try:
            try:
                return self._read(path, parameters, slot)
            except httpx.RemoteProtocolError:  # the server closed an idle kept-alive connection
                return self._read(path, parameters, slot)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ExchangeUnavailable(
                f"{self.base_url} does not answer: {outbound.explain(self.base_url, error)}",
                code=ExchangeCode.UNREACHABLE,
                hint="check the network and source.rest_url; it is tried again by itself",
            ) from error

    def _read(self, path: str, parameters: Mapping[str, str], slot: Slot) -> httpx.Response:
        with self._http.stream("GET", path, params=dict(parameters)) as reply:
            slot.reply()
            reply.read()
            return reply

    def _take_in(self, reply: httpx.Response, slot: Slot) -> None:
        remaining = _REMAINING.search(reply.headers.get("Remaining-Req", ""))
        slot.observe(int(remaining[1]) if remaining else None)
        try:
            sent_at = parsedate_to_datetime(reply.headers.get("Date", "")).astimezone(UTC)
        except ValueError:
            return
        if self._observed is not None:
            expected = self._observed.extrapolated()
            # `Date` has whole seconds: within that second the running estimate is the finer one, and
            # still no more than a second ahead of the exchange.
            if sent_at <= expected < sent_at + timedelta(seconds=1):
                return
        self._observed = _Observed(sent_at, clock.monotonic(), self.speed)

    def _failure(self, reply: httpx.Response, market: str) -> ExchangeError:
        if reply.status_code == 418:
            seconds = _block_seconds(reply)
            self._rate_limit.block(seconds)
            return self._rate_limit.blocked_error(seconds)
        error = parse_error(reply.content)
        if reply.status_code == 404 and market and error.name != "not_found":
            return ExchangeRejected(
                f"{market} is not a market of {self.base_url}",
                code=ExchangeCode.UNKNOWN_MARKET,
                hint=f"correct or remove {market} in ingest.markets (compose/appliance.toml); "
                f"{self.base_url}/v1/market/all lists the codes",
                market=market,
            )
        message = error.message or reply.reason_phrase
        if 400 <= reply.status_code < 500:
            return ExchangeRejected(
                f"{self.base_url} refused the request: {reply.status_code} {message}",
                hint="check source.rest_url and ingest.timeframes",
            )
        return ExchangeUnavailable(
            f"{self.base_url} failed: {reply.status_code} {message}",
            hint="nothing to do: it is asked again by itself (maintenance looks like this)",
        )


def open_client(
    base_url: str,
    per_second: int = 10,
    speed: float = 1.0,
    transport: httpx.BaseTransport | None = None,
) -> UpbitClient:
    """Return a client on the budget that all processes of this user share for that host."""
    parts = urlsplit(base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    limit = HostRateLimit(shared_directory(), per_second, f"{parts.hostname}:{port}")
    return UpbitClient(base_url, limit, speed, transport)


def format_to(to: datetime, unit: int) -> str:
    """Return `to` as the API takes it, rounded up to the timeframe so that no candle is lost."""
    seconds = int(to.astimezone(UTC).timestamp())
    width = unit * 60
    aligned = -(-seconds // width) * width
    return datetime.fromtimestamp(aligned, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _block_seconds(reply: httpx.Response) -> float:
    """Return how long a 418 blocks: from `Retry-After`, else from its text, else a minute."""
    after = reply.headers.get("Retry-After", "")
    if after.isdigit():
        return float(after)
    found = _BLOCK_TIME.search(parse_error(reply.content).message or reply.text[:200])
    if not found or not found[2]:
        return _DEFAULT_BLOCK_SECONDS
    factor = next(
        (value for unit, value in _UNIT_SECONDS.items() if found[2].lower().startswith(unit)), 1.0
    )
    return max(1.0, float(found[1]) * factor)
