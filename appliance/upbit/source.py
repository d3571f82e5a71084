"""Which market source this home uses; once chosen it never flips by itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import httpx

from appliance import clock
from appliance.config import outbound
from appliance.config.paths import Paths, write_atomically
from appliance.config.ports import service_url
from appliance.config.proven_http import ProvenTransport
from appliance.config.proxy import proxy_for
from appliance.config.reading import MissingFile, UnreadableFile, read_json
from appliance.config.settings import Settings
from appliance.config.state_file import set_aside
from appliance.errors import ConfigError, UpbitUnavailable
from appliance.upbit.client import UpbitClient, open_client
from appliance.upbit.wire import parse_markets

Kind = Literal["upbit", "simulator"]
UPBIT_HOST = "api.upbit.com"
_PROBE_SECONDS = 3.0
_ENOUGH = frozenset({418, 429})


@dataclass(frozen=True, slots=True)
class Source:
    """Where candles come from; `source_id` is what the store is bound to, `label` the banner.

    `speed` are its seconds per second of ours; `service` is the service of this home that it is, "" for
    a server elsewhere.
    """

    kind: Kind
    rest_url: str
    websocket_url: str
    label: str
    source_id: str
    is_simulated: bool
    speed: float = 1.0
    service: str = ""


def resolve_source(settings: Settings, paths: Paths) -> Source:
    """Return this home's source, choosing and recording it when the setting is `auto`.

    Raises:
        ApplianceNotRunning: the source is the simulator and this home never started one.
        ConfigError: the recorded choice cannot be read.
    """
    if source_kind(settings, paths) == "simulator":
        return simulator_source(settings, service_url(paths, "simulator"))
    return _upbit_source(settings)


def source_kind(settings: Settings, paths: Paths) -> Kind:
    """Return `upbit` or `simulator`; with `auto` the recorded choice, else probe once and record.

    Raises:
        ConfigError: the recorded choice cannot be read, or our own side of the way to the exchange
            is broken: nothing is chosen then.
    """
    if settings.source.kind != "auto":
        return settings.source.kind
    recorded = _recorded(paths)
    if recorded is not None:
        return recorded
    chosen: Kind = "upbit" if _answers(settings.source.rest_url) else "simulator"
    choice = {
        "kind": chosen,
        "chosen_at": clock.now().isoformat(),
        "probed": settings.source.rest_url,
    }
    write_atomically(_choice_file(paths), json.dumps(choice, indent=2) + "\n")
    return chosen


def open_source(source: Source, settings: Settings, paths: Paths) -> UpbitClient:
    """Return a client of a source; a source of this home proves that it is before it is asked."""
    transport = ProvenTransport(paths, source.service) if source.service else None
    return open_client(
        source.rest_url, settings.source.requests_per_second, source.speed, transport
    )


def forget_source(paths: Paths) -> None:
    """Forget the recorded choice; `auto` chooses anew at the next start."""
    path = _choice_file(paths)
    if path.is_dir():
        set_aside(path, "it is a folder")
    path.unlink(missing_ok=True)


def simulator_source(settings: Settings, url: str) -> Source:
    """Return the built-in simulator behind a base URL as a source."""
    replayed = ",".join(sorted(settings.simulator.replay))
    return Source(
        kind="simulator",
        rest_url=url,
        websocket_url=f"ws{url.removeprefix('http')}/websocket/v1",
        label="SIMULATOR - synthetic prices, not the market"
        if not replayed
        else f"SIMULATOR - replay of {replayed}, not the market",
        source_id=f"simulator:seed={settings.simulator.seed}"
        + (f":replay={replayed}" if replayed else ""),
        is_simulated=True,
        speed=settings.simulator.speed,
        service="simulator",
    )


def _upbit_source(settings: Settings) -> Source:
    url = settings.source.rest_url.rstrip("/")
    parts = urlsplit(url)
    is_upbit = parts.hostname == UPBIT_HOST
    return Source(
        kind="upbit",
        rest_url=url,
        websocket_url=settings.source.websocket_url,
        label="Upbit" if is_upbit else f"Upbit-compatible server at {url}",
        source_id="upbit" if is_upbit else f"upbit@{parts.netloc}",
        is_simulated=False,
    )


def _choice_file(paths: Paths) -> Path:
    return paths.home / "source.json"


def _recorded(paths: Paths) -> Kind | None:
    path = _choice_file(paths)
    try:
        recorded = read_json(path)
    except MissingFile:
        return None
    except UnreadableFile as error:
        raise _undecided(paths, error.message) from error
    kind = recorded.get("kind") if isinstance(recorded, dict) else None
    if kind == "upbit":
        return "upbit"
    if kind == "simulator":
        return "simulator"
    raise _undecided(paths, f"{path} does not say which source was chosen")


def _undecided(paths: Paths, reason: str) -> ConfigError:
    """Return the error of a damaged choice: another one might mix two sources in one store."""
    return ConfigError(
        f"which market source this home uses is not known: {reason}",
        code="source.damaged",
        hint=f"set source.kind in {paths.compose / 'appliance.toml'} to upbit or simulator, as before",
    )


def _answers(url: str) -> bool:
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
    except UpbitUnavailable:
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
