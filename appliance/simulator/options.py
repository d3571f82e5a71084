"""How a simulator is started."""

from __future__ import annotations

import secrets as random
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from appliance.config import forms
from appliance.config.forms import shown
from appliance.config.paths import Paths
from appliance.config.secret import Secret, read_secret
from appliance.config.settings import Settings, load_settings
from appliance.errors import ConfigError
from appliance.simulator.listing import KNOWN_MARKETS


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """Options of one simulator.

    `port` 0 takes a free one; `markets` are the synthetic ones, `replay` maps further (or the same)
    markets to recorded candles; `start_at` is where simulated time begins (None: now, or near the end
    of the first replay); `speed` is simulated seconds per second; `scenario` and `faults` are scripts;
    `state_file` keeps simulated time
    and shifts over restarts; `has_limits` False switches the request limits off; `latency_ms` is added
    to every REST reply, half of it before the request counts; `token` is asked of control calls.
    """

    port: int = 0
    seed: int = 7
    markets: tuple[str, ...] = KNOWN_MARKETS
    replay: dict[str, Path] = field(default_factory=dict)
    start_at: datetime | None = None
    speed: float = 1.0
    scenario: Path | None = None
    faults: Path | None = None
    state_file: Path | None = None
    has_limits: bool = True
    latency_ms: float = 0.0
    token: str = field(default_factory=lambda: random.token_urlsafe(24), repr=False)


def options_from_settings(settings: Settings, paths: Paths) -> SimulatorOptions:
    """Return the options of this home's own simulator.

    It lists the same markets whatever `ingest.markets` says, so that a mistyped code is unknown here
    as it would be at Upbit.
    """
    chosen = settings.simulator
    return SimulatorOptions(
        port=chosen.port,
        seed=chosen.seed,
        replay={market: Path(file).expanduser() for market, file in chosen.replay.items()},
        start_at=parse_instant(chosen.start, "simulator.start") if chosen.start else None,
        speed=chosen.speed,
        scenario=Path(chosen.scenario).expanduser() if chosen.scenario else None,
        faults=Path(chosen.faults).expanduser() if chosen.faults else None,
        state_file=paths.home / "simulator.json",
        token=read_secret(paths, Secret.SIMULATOR_TOKEN) or random.token_urlsafe(24),
    )


def options_of_home() -> SimulatorOptions:
    """Return the options of the simulator of `$APPLIANCE_HOME`."""
    paths = Paths.from_environment()
    return options_from_settings(load_settings(paths), paths)


def parse_instant(text: str, what: str) -> datetime:
    """Return an ISO time as an aware instant; without a zone it is UTC.

    Raises:
        ConfigError: it is not an ISO time, or not of the years 2010 to 2099.
    """
    try:
        return forms.parse_instant(text)
    except ValueError as error:
        raise ConfigError(
            f"{what} must be {error}, was {shown(text)}", hint="such as 2026-01-31T09:00:00Z"
        ) from error
