"""Proxies between us and the world, as the user's shell states them."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from appliance.config.environment import shell_variable
from appliance.errors import ConfigError

_SCHEMES = {"http": "http", "https": "https"} | dict.fromkeys(
    ("socks", "socks5", "socks5h"), "socks5h"
)
"""Accepted schemes of a proxy; a SOCKS proxy always resolves names, as a host behind it may not."""
_SOCKS_PORT = 1080


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that the shell names; `variable` is where, `url` may hold credentials."""

    url: str
    variable: str

    def __str__(self) -> str:
        """Say which it is, without credentials."""
        return f"the proxy {masked(self.url)} ({self.variable})"


def proxy_for(url: str) -> Proxy | None:
    """Return the proxy between us and a URL, None when it is reached directly.

    Raises:
        ConfigError: the variable that names it is no proxy's URL.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(url) or _is_excepted(host, parts.port or _default_port(parts)):
        return None
    scheme = "https" if parts.scheme in {"https", "wss"} else "http"
    names = (f"{scheme}_proxy", "all_proxy")
    for variable in (spelled for name in names for spelled in (name, name.upper())):
        if value := shell_variable(variable):
            return _parse(value, variable)
    return None


def is_loopback(url: str) -> bool:
    """Whether a URL points at this machine, which no proxy may come between."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def masked(text: str) -> str:
    """Return a proxy's URL, or what was meant as one, without its credentials."""
    return re.sub(r"^(\w+:/*)?.*@", lambda scheme: f"{scheme[1] or ''}***@", text)


def _parse(value: str, variable: str) -> Proxy:
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        port, host = parts.port, parts.hostname
    except ValueError:
        parts, port, host = urlsplit(""), None, None
    scheme, rest = _SCHEMES.get(parts.scheme), (parts.path.strip("/"), parts.query, parts.fragment)
    if scheme is None or not host or any(rest):
        raise ConfigError(
            f"{variable} is {masked(value)!r}, expected the URL of a proxy such as "
            "http://proxy.example:3128 or socks5h://proxy.example:1080",
            code="outbound.proxy",
            hint=f"correct or unset {variable}, then try again",
        )
    login, _, _ = parts.netloc.rpartition("@")
    login = f"{login if ':' in login else f'{login}:'}@" if login else ""
    host = f"[{host}]" if ":" in host else host
    port = port or (_SOCKS_PORT if scheme == "socks5h" else _default_port(parts))
    return Proxy(f"{scheme}://{login}{host}:{port}", variable)


def _default_port(parts: SplitResult) -> int:
    return 443 if parts.scheme in {"https", "wss"} else 80


def _is_excepted(host: str, port: int) -> bool:
    """Whether `NO_PROXY` names a host: by name, domain, address or network, or all by `*`."""
    listed = re.split(r"[,\s]+", shell_variable("no_proxy") or shell_variable("NO_PROXY"))
    return any(_names(entry.lower(), host.rstrip("."), port) for entry in listed if entry)


def _names(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        name, _, only = entry.rpartition(":") if entry.count(":") == 1 else (entry, "", "")
        if only and only != str(port):
            return False
        domain = name.removeprefix("*").removeprefix(".")
        return bool(domain) and (host == domain or host.endswith(f".{domain}"))
