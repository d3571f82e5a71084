"""`appliance simulator`: Upbit's quotation API on this machine."""

from __future__ import annotations

from pathlib import Path

import click


def _parse_replay(values: tuple[str, ...]) -> dict[str, Path]:
    replay = {}
    for value in values:
        market, separator, file = value.partition("=")
        if not separator or not file:
            raise click.UsageError(f"--replay takes MARKET=FILE, was {value!r}")
        replay[market] = Path(file)
    return replay


@click.command("simulator")
@click.option("--port", type=click.IntRange(0, 65535), default=18000, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True, help="Same seed, same market.")
@click.option("--markets", default="KRW-BTC", show_default=True, metavar="CODE,CODE")
@click.option("--replay", multiple=True, metavar="MARKET=FILE", help="Parquet or CSV of candles.")
@click.option("--start", default=None, metavar="ISO", help="Simulated time at the start.")
@click.option(
    "--speed", type=click.FloatRange(0, 600, min_open=True), default=1.0, show_default=True
)
@click.option(
    "--scenario",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Regime shifts.",
)
def simulator_command(
    port: int,
    seed: int,
    markets: str,
    replay: tuple[str, ...],
    start: str | None,
    speed: float,
    scenario: Path | None,
) -> None:
    """Serve Upbit's REST and WebSocket quotation API on 127.0.0.1."""
    from appliance.simulator.options import SimulatorOptions
    from appliance.simulator.server import run_simulator

    run_simulator(
        SimulatorOptions(
            port=port,
            seed=seed,
            markets=tuple(code.strip() for code in markets.split(",") if code.strip()),
            replay=_parse_replay(replay),
            start=start or "",
            speed=speed,
            scenario=scenario,
        )
    )
