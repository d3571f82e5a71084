"""Which market source this home uses; once chosen it never changes unasked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

from appliance import clock
from appliance.config.exchanges import AUTO, SIMULATED, SIMULATOR, entry_of, kinds
from appliance.config.listeners import connect_proven
from appliance.config.paths import Paths, write_atomically
from appliance.config.ports import service_url
from appliance.config.proven_http import ProvenTransport
from appliance.config.reading import MissingFile, UnreadableFile, read_json
from appliance.config.settings import Settings
from appliance.config.state_file import set_aside
from appliance.errors import ConfigError
from appliance.exchange.port import Adapter, Exchange, Stream, StreamStatus, Subscription

CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Source:
    """Where candles come from; `source_id` is what the store is bound to, `label` the banner.

    `exchange` is whose adapter speaks to it; `speed` are its seconds per second of ours; `service` is the
    service of this home that it is, "" for a server elsewhere.
    """

    kind: str
    rest_url: str
    websocket_url: str
    label: str
    source_id: str
    is_simulated: bool
    exchange: str
    speed: float = 1.0
    service: str = ""


def adapter_of(exchange: str) -> Adapter:
    """Return the adapter of an exchange, imported now."""
    adapter: Adapter = import_module(entry_of(exchange).adapter).ADAPTER
    return adapter


def resolve_source(settings: Settings, paths: Paths) -> Source:
    """Return this home's source, choosing and recording it when the setting is `auto`.

    Raises:
        ApplianceNotRunning: the source is the simulator and this home never started one.
        ConfigError: the recorded choice cannot be read, or the exchange lacks a configured timeframe.
    """
    kind = source_kind(settings, paths)
    if kind == SIMULATOR:
        return simulator_source(settings, service_url(paths, SIMULATOR))
    return _exchange_source(settings, kind)


def source_kind(settings: Settings, paths: Paths) -> str:
    """Return the id of an exchange or `simulator`; with `auto` the recorded choice, else probe and record.

    Raises:
        ConfigError: the recorded choice cannot be read, or our own side of the way to the exchange
            is broken: nothing is chosen then.
    """
    if settings.source.kind != "auto":
        return settings.source.kind
    recorded = _recorded(paths)
    if recorded is not None:
        return recorded
    url = settings.source.rest_url
    chosen = AUTO if adapter_of(AUTO).answers(url) else SIMULATOR
    choice = {"kind": chosen, "chosen_at": clock.now().isoformat(), "probed": url}
    write_atomically(_choice_file(paths), json.dumps(choice, indent=2) + "\n")
    return chosen


def open_source(source: Source, settings: Settings, paths: Paths) -> Exchange:
    """Return a client of a source; a source of this home proves that it is before it is asked."""
    transport = ProvenTransport(paths, source.service) if source.service else None
    per_second = settings.source.requests_per_second
    return adapter_of(source.exchange).open_rest(
        source.rest_url, per_second, source.speed, transport
    )


def open_stream(
    source: Source, settings: Settings, paths: Paths, on_status: Callable[[StreamStatus], None]
) -> Stream:
    """Return a source's stream of the configured markets; one of this home proves itself likewise."""
    way = (
        partial(connect_proven, paths, source.service, CONNECT_SECONDS) if source.service else None
    )
    ingest = settings.ingest
    return adapter_of(source.exchange).open_stream(
        Subscription(source.websocket_url, ingest.markets, ingest.timeframes, on_status, way)
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
        kind=SIMULATOR,
        rest_url=url,
        websocket_url=adapter_of(SIMULATED).stream_url(url),
        label="SIMULATOR - synthetic prices, not the market"
        if not replayed
        else f"SIMULATOR - replay of {replayed}, not the market",
        source_id=f"simulator:seed={settings.simulator.seed}"
        + (f":replay={replayed}" if replayed else ""),
        is_simulated=True,
        exchange=SIMULATED,
        speed=settings.simulator.speed,
        service=SIMULATOR,
    )


def _exchange_source(settings: Settings, kind: str) -> Source:
    url, stream_url = _urls(settings, kind)
    adapter = adapter_of(kind)
    source_id, label = adapter.identity(url)
    absent = [unit for unit in settings.ingest.timeframes if unit not in adapter.timeframes]
    if absent:
        raise ConfigError(
            f"{label} has no candles of {absent[0]} minutes",
            code="source.no_timeframe",
            hint=f"set ingest.timeframes to some of {', '.join(map(str, adapter.timeframes))}",
        )
    return Source(
        kind=kind,
        rest_url=url,
        websocket_url=stream_url,
        label=label,
        source_id=source_id,
        is_simulated=False,
        exchange=kind,
    )


def _urls(settings: Settings, kind: str) -> tuple[str, str]:
    """Return where an exchange is reached: as configured, else at its own addresses.

    Those are asked of the kind that was recorded, which `auto` may stand for no longer.
    """
    source, own = settings.source, entry_of(kind)
    given = source.model_fields_set
    rest = source.rest_url if "rest_url" in given else own.rest_url
    stream = source.websocket_url if "websocket_url" in given else own.websocket_url
    return rest.rstrip("/"), stream


def _choice_file(paths: Paths) -> Path:
    return paths.home / "source.json"


def _recorded(paths: Paths) -> str | None:
    path = _choice_file(paths)
    try:
        recorded = read_json(path)
    except MissingFile:
        return None
    except UnreadableFile as error:
        raise _undecided(paths, error.message) from error
    kind = recorded.get("kind") if isinstance(recorded, dict) else None
    if isinstance(kind, str) and kind in kinds():
        return kind
    raise _undecided(paths, f"{path} does not say which source was chosen")


def _undecided(paths: Paths, reason: str) -> ConfigError:
    """Return the error of a damaged choice: another one might mix two sources in one store."""
    return ConfigError(
        f"which market source this home uses is not known: {reason}",
        code="source.damaged",
        hint=f"set source.kind in {paths.compose / 'appliance.toml'} to {' or '.join(kinds())}, as before",
    )
