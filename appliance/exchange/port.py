"""What the appliance needs of an exchange; a package that keeps it is an adapter.

Market codes are QUOTE-BASE (`KRW-BTC`) and rows are `RawCandle` on this side of the port, whatever the
exchange sends. Errors are `ExchangeUnavailable` and `ExchangeRejected` with the codes of `ExchangeCode`.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import TracebackType
from typing import Protocol, Self

import httpx

from appliance.domain.candle import LiveCandle, RawCandle


class StreamState(StrEnum):
    """What a status message is about."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """A change of the stream's state; `market` and `unit` are set when it concerns one subscription."""

    state: StreamState
    message: str
    market: str = ""
    unit: int = 0


class Exchange(Protocol):
    """The REST side: thread-safe, within the exchange's rate limit."""

    @property
    def page_size(self) -> int:
        """The most candles that one request returns."""
        ...

    @property
    def speed(self) -> float:
        """Exchange seconds per second of ours; other than 1 for a simulated market only."""
        ...

    def __enter__(self) -> Self:
        """Return itself; `close` at the end of the block."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...

    def minute_candles(
        self,
        market: str,
        unit: int,
        to: datetime | None = None,
        count: int = ...,
        *,
        is_bulk: bool = False,
    ) -> list[RawCandle]:
        """Return up to `page_size` candles that open before `to` (None: now), newest first.

        Without `to` the first row may still be forming. Bulk requests let live ones take their turn.

        Raises:
            ExchangeRejected: the market or timeframe does not exist.
            ExchangeUnavailable: unreachable, over the limit, blocked, or the reply is nonsense.
        """
        ...

    def markets(self) -> list[str]:
        """Return the codes of all markets; raises `ExchangeUnavailable`."""
        ...

    def known_time(self) -> datetime | None:
        """Return the exchange's present as far as replies told it, None before the first; never asks."""
        ...

    def exchange_now(self) -> datetime:
        """Return the exchange's present, asking when nothing is known; raises `ExchangeUnavailable`."""
        ...


class Stream(Protocol):
    """The forming candles, reconnecting for ever."""

    async def subscribe(self, markets: Sequence[str], units: Sequence[int]) -> None:
        """Subscribe to these from now on, instead of those before."""
        ...

    def quiet_seconds(self) -> float:
        """Return how long ago the last candle came; infinite before the first."""
        ...

    def candles(self) -> AsyncIterator[LiveCandle]:
        """Yield forming candles for ever; cancel to stop."""
        ...


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a stream is opened with; `open_socket` is the way to a server of this home, None by the URL."""

    url: str
    markets: Sequence[str]
    units: Sequence[int]
    on_status: Callable[[StreamStatus], None]
    open_socket: Callable[[], socket.socket] | None = None


class Adapter(Protocol):
    """One exchange; a module has it as `ADAPTER` and is named in `config/exchanges.py`."""

    @property
    def timeframes(self) -> tuple[int, ...]:
        """The candle widths that the exchange serves, of `domain.candle.TIMEFRAMES`."""
        ...

    def identity(self, rest_url: str) -> tuple[str, str]:
        """Return what a store of this server is bound to for ever, and its title for people."""
        ...

    def stream_url(self, rest_url: str) -> str:
        """Return the stream's URL of a server that has both sides behind one address."""
        ...

    def answers(self, rest_url: str) -> bool:
        """Whether a server that behaves like this exchange answers, within a few seconds.

        Raises:
            ConfigError: a proxy or a certificate is in the way, so that nobody can tell.
        """
        ...

    def open_rest(
        self,
        rest_url: str,
        per_second: int,
        speed: float,
        transport: httpx.BaseTransport | None,
    ) -> Exchange:
        """Return a client; all processes of this user share `per_second` requests to that host."""
        ...

    def open_stream(self, subscription: Subscription) -> Stream:
        """Return a stream; it connects when its candles are asked for."""
        ...
