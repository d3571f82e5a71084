"""Upbit behind the port: what `config/exchanges.py` names."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx

from appliance.config import outbound
from appliance.config.proxy import proxy_for
from appliance.domain.candle import TIMEFRAMES
from appliance.errors import ConfigError, ExchangeUnavailable
from appliance.exchange.port import Adapter, Exchange, Stream, Subscription
from appliance.upbit.client import open_client
from appliance.upbit.wire import parse_markets

_HOST = "api.upbit.com"
_PROBE_SECONDS = 3.0
_ENOUGH = frozenset({418, 429})


class UpbitAdapter:
    """Upbit, a server compatible with it, or the built-in simulator, which imitates it."""

    timeframes = TIMEFRAMES

    def identity(self, rest_url: str) -> tuple[str, str]:
        """Return `upbit` for Upbit itself, and a name with the address for a compatible server."""
        parts = urlsplit(rest_url)
        if parts.hostname == _HOST:
            return "upbit", "Upbit"
        return f"upbit@{parts.netloc}", f"Upbit-compatible server at {rest_url}"

    def stream_url(self, rest_url: str) -> str:
        """Return the WebSocket URL on the same address."""
        return f"ws{rest_url.removeprefix('http')}/websocket/v1"

    def answers(self, rest_url: str) -> bool:
        """Whether a server that behaves like Upbit answers; raises `ConfigError` when nobody can tell."""
        return _server_answers(rest_url)

    def open_rest(
        self,
        rest_url: str,
        per_second: int,
        speed: float,
        transport: httpx.BaseTransport | None,
    ) -> Exchange:
        """Return a client on the budget that all processes of this user share for that host."""
        return open_client(rest_url, per_second, speed, transport)

    def open_stream(self, subscription: Subscription) -> Stream:
        """Return the candle stream of some markets and timeframes."""
        from appliance.upbit.websocket import CandleStream

        return CandleStream(
            subscription.url,
            subscription.markets,
            subscription.units,
            subscription.on_status,
            open_socket=subscription.open_socket,
        )


ADAPTER: Adapter = UpbitAdapter()


def _server_answers(url: str) -> bool:
    """Whether a server that behaves like Upbit answers at `url` within three seconds.

    One that has had enough of us (429, 418) answers as well.

    Raises:
        ConfigError: a proxy or a certificate is in the way, so that nobody can tell.
    """
    timeout = httpx.Timeout(_PROBE_SECONDS)
    try:
        with outbound.http_client(url.rstrip("/"), timeout) as client:
            reply = client.get("/v1/market/all")
        if reply.status_code in _ENOUGH:
            return True
        if reply.status_code != 200 and (proxy := proxy_for(url)):
            raise _unclear(url, f"HTTP {reply.status_code} through {proxy}")
        return reply.status_code == 200 and bool(parse_markets(reply.content))
    except ExchangeUnavailable:
        return False
    except httpx.HTTPError as error:
        if not outbound.is_ours(url, error):
            return False
        raise _unclear(url, outbound.explain(url, error)) from error


def _unclear(url: str, reason: str) -> ConfigError:
    return ConfigError(
        f"whether {url} answers cannot be told: {reason}",
        code="source.unclear",
        hint="correct the variable, or unset it; or set source.kind to upbit or simulator; then try again",
    )
