"""Command line of the simulator: `python -m appliance.simulator`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from appliance.config.paths import Paths
from appliance.config.settings import load_settings
from appliance.errors import ConfigError
from appliance.simulator.listing import KNOWN_MARKETS
from appliance.simulator.options import (
    SimulatorOptions,
    options_from_settings,
    parse_instant,
    parse_replay,
)
from appliance.simulator.server import run_simulator

_USAGE_ERROR = 2


def main(arguments: list[str] | None = None) -> int:
    """Serve until ended by a signal; return the exit code."""
    try:
        run_simulator(_options(_parser().parse_args(arguments)))
    except ConfigError as error:
        sys.stderr.write(f"simulator: {error.message}\n")
        if error.hint:
            sys.stderr.write(f"simulator: {error.hint}\n")
        return _USAGE_ERROR
    return 0


def _options(given: argparse.Namespace) -> SimulatorOptions:
    if given.from_settings:
        paths = Paths.from_environment()
        return options_from_settings(load_settings(paths), paths)
    if not 0 < given.speed <= 600:
        raise ConfigError(f"--speed {given.speed:g} is not above 0 and at most 600")
    if not 0 <= given.latency_ms <= 10_000:
        raise ConfigError(f"--latency-ms {given.latency_ms:g} is not between 0 and 10000")
    return SimulatorOptions(
        port=given.port,
        seed=given.seed,
        markets=tuple(code.strip().upper() for code in given.markets.split(",") if code.strip()),
        replay=dict(parse_replay(argument) for argument in given.replay),
        start_at=parse_instant(given.start, "--start") if given.start else None,
        speed=given.speed,
        scenario=given.scenario,
        faults=given.faults,
        has_limits=not given.no_limits,
        latency_ms=given.latency_ms,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="appliance simulator",
        description="Serve a synthetic or recorded market that a client cannot tell from Upbit.",
    )
    add = parser.add_argument
    add("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    add("--seed", type=int, default=7, help="same seed, same market")
    add("--markets", default=",".join(KNOWN_MARKETS), help="synthetic markets, comma separated")
    add("--replay", action="append", default=[], metavar="MARKET=FILE", help="parquet or CSV file")
    add("--start", default="", metavar="ISO", help="simulated time at the start; default: now")
    add("--speed", type=float, default=1.0, help="simulated seconds per second")
    add("--scenario", type=Path, help="TOML file with [[shift]] tables")
    add("--faults", type=Path, help="TOML file with [[fault]] tables")
    add("--no-limits", action="store_true", help="do not enforce request limits")
    add("--latency-ms", type=float, default=0.0, help="added to every REST reply")
    add("--from-settings", action="store_true", help="take everything from this home's settings")
    return parser


if __name__ == "__main__":
    sys.exit(main())
