"""The way out of this machine, with the proxies and certificates of the user's shell.

Whatever reaches beyond this machine (the exchange, Slack, S3) gets its client from here. Loopback addresses
never go through a proxy. A setting that is wrong is an error of its own, which names the variable and
its value: it is never taken for a server that does not answer.
"""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import Any

import httpx

from appliance.config.certificates import chosen_certificates, ssl_context
from appliance.config.proxy import Proxy, proxy_for
from appliance.errors import ConfigError

logging.getLogger("httpx").setLevel(logging.WARNING)
"""It would log each URL, of which some are secrets."""


def http_client(
    url: str, timeout: httpx.Timeout, headers: dict[str, str] | None = None
) -> httpx.Client:
    """Return a client of a server, through the proxy and with the certificates that are set.

    Raises:
        ConfigError: a proxy or certificate variable is wrong.
    """
    proxy = proxy_for(url)
    return httpx.Client(
        base_url=url,
        timeout=timeout,
        headers=headers,
        verify=ssl_context() if url.startswith("https:") else False,  # else nothing to verify
        proxy=None if proxy is None else httpx.Proxy(proxy.url, ssl_context=_towards(proxy)),
        trust_env=False,
    )


def websocket_options(url: str) -> dict[str, Any]:
    """Return the arguments of `websockets.connect` for the way to a server.

    Raises:
        ConfigError: a proxy or certificate variable is wrong.
    """
    proxy = proxy_for(url)
    options: dict[str, Any] = {"proxy": None if proxy is None else proxy.url}
    if url.startswith("wss:"):
        options["ssl"] = ssl_context()
    if proxy is not None and proxy.url.startswith("https:"):
        options["proxy_ssl"] = ssl_context()
    return options


def _towards(proxy: Proxy) -> ssl.SSLContext | None:
    return ssl_context() if proxy.url.startswith("https:") else None


def check(*urls: str) -> None:
    """Look at whatever is set for the way to these URLs.

    Raises:
        ConfigError: a proxy or certificate variable is wrong.
    """
    for url in urls:
        proxy_for(url)
    ssl_context()


def explain(url: str, error: BaseException) -> str:
    """Return why a URL could not be reached, naming the proxy or certificates that were in use."""
    reason = str(error) or type(error).__name__
    if untrusted := _untrusted(error):
        return f"its certificate is not trusted ({untrusted.verify_message}); {_trusted()}"
    proxy = proxy_for(url)
    return reason if proxy is None else f"{reason}, through {proxy}"


def is_ours(url: str, error: BaseException) -> bool:
    """Whether a failure lies on our side of the way: at a proxy, or for want of a certificate."""
    return _untrusted(error) is not None or proxy_for(url) is not None


def slack_options(url: str) -> dict[str, Any]:
    """Return the arguments of `slack_sdk`'s clients for the way to a server; it knows HTTP proxies only.

    Raises:
        ConfigError: a variable is wrong, or names another kind of proxy.
    """
    proxy = proxy_for(url)
    if proxy is not None and not proxy.url.startswith("http:"):
        raise ConfigError(
            f"Slack cannot be reached through {proxy}: its client knows HTTP proxies only",
            code="outbound.slack_proxy",
            hint="set HTTPS_PROXY to an http:// proxy, or name Slack's server in NO_PROXY",
        )
    return {"ssl": ssl_context(), "proxy": None if proxy is None else proxy.url}


def boto_environment(url: str) -> dict[str, str]:
    """Return the variables with which boto3 reaches an S3 server; it knows no SOCKS.

    Raises:
        ConfigError: a variable is wrong, or names a SOCKS proxy.
    """
    proxy = proxy_for(url)
    if proxy is not None and proxy.url.startswith("socks"):
        raise ConfigError(
            f"S3 cannot be reached through {proxy}: boto3 knows no SOCKS",
            code="outbound.socks",
            hint="set HTTPS_PROXY to an HTTP proxy, or name the S3 server in NO_PROXY",
        )
    ssl_context()
    _, certificates = chosen_certificates() or ("", "")
    if certificates and Path(certificates).is_dir():
        raise ConfigError(
            f"S3 cannot use the folder of certificates {certificates}: boto3 reads a file only",
            code="outbound.certificates",
            hint="set SSL_CERT_FILE to a file of certificates",
        )
    values = {
        "HTTP_PROXY": "" if proxy is None else proxy.url,
        "HTTPS_PROXY": "" if proxy is None else proxy.url,
        "NO_PROXY": "localhost,127.0.0.1,::1",
        "AWS_CA_BUNDLE": certificates,
    }
    return {name: value for name, value in values.items() if value}


def _trusted() -> str:
    chosen = chosen_certificates()
    if chosen is None:
        return "set SSL_CERT_FILE to the certificates of whoever signed it"
    return f"{chosen[0]} is {chosen[1]!r}"


def _untrusted(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error
        error = error.__cause__ or error.__context__
    return None
