"""The simulator's command; imports what it serves only when it does."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import click

from appliance.config import arguments
from appliance.simulator.listing import KNOWN_MARKETS


class _Markets(click.ParamType[tuple[str, ...]]):
    """Market codes, comma separated, each once."""

    name = "markets"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the codes."""
        if isinstance(value, tuple):
            return value
        codes = [code for code in str(value).split(",") if code.strip()]
        return tuple(dict.fromkeys(arguments.MARKET.convert(code, param, ctx) for code in codes))


@click.command("simulator")
@click.option("--port", type=arguments.PORT, default=0, help="Port on 127.0.0.1; 0: a free one.")
@click.option("--seed", type=arguments.SEED, default=7, show_default=True, help="Fixes the market.")
@click.option(
    "--markets", type=_Markets(), default=KNOWN_MARKETS, metavar="CODES", help="Comma separated."
)
@click.option(
    "--replay", type=arguments.REPLAY, multiple=True, metavar="MARKET=FILE", help="Parquet or CSV."
)
@click.option("--start", type=arguments.INSTANT, metavar="ISO", help="Simulated time; now.")
@click.option(
    "--speed",
    type=arguments.Number(0, 600, min_open=True),
    default=1.0,
    show_default=True,
    help="Simulated seconds per second.",
)
@click.option(
    "--scenario", type=arguments.FILE, help="TOML file with [[shift]] and [[market]] tables."
)
@click.option("--faults", type=arguments.FILE, help="TOML file with [[fault]] tables.")
@click.option("--no-limits", is_flag=True, help="Do not enforce request limits.")
@click.option(
    "--latency-ms", type=arguments.Number(0, 10_000), default=0.0, help="Added to every REST reply."
)
@click.option("--from-settings", is_flag=True, help="Take everything from this home's settings.")
def simulator_command(
    port: int,
    seed: int,
    markets: tuple[str, ...],
    replay: tuple[tuple[str, Path], ...],
    start: datetime | None,
    speed: float,
    scenario: Path | None,
    faults: Path | None,
    no_limits: bool,
    latency_ms: float,
    from_settings: bool,
) -> None:
    """Serve Upbit's REST and WebSocket quotation API on 127.0.0.1.

    A client cannot tell the synthetic or recorded market from Upbit.
    """
    from appliance.config.secret import Secret
    from appliance.simulator.options import SimulatorOptions, options_of_home
    from appliance.simulator.server import run_simulator

    if len(dict(replay)) < len(replay):
        raise click.UsageError("--replay names a market twice")
    if not markets and not replay:
        raise click.UsageError("there is no market; give --markets or --replay")
    if from_settings:
        run_simulator(options_of_home())
        return
    options = SimulatorOptions(
        port=port,
        seed=seed,
        markets=markets,
        replay=dict(replay),
        start_at=start,
        speed=speed,
        scenario=scenario,
        faults=faults,
        has_limits=not no_limits,
        latency_ms=latency_ms,
    )
    token = os.environ.get(Secret.SIMULATOR_TOKEN.environment_variable)
    run_simulator(replace(options, token=token) if token else options, tells_token=not token)
