"""The candle width as an argument; apart from the others, which every command loads."""

from __future__ import annotations

from typing import Any

import click

from appliance.domain.candle import TIMEFRAMES


class Timeframe(click.Choice[str]):
    """A candle width in minutes that the exchange serves."""

    name = "minutes"

    def __init__(self) -> None:
        super().__init__([str(unit) for unit in TIMEFRAMES])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the width."""
        return int(super().convert(str(value), param, ctx))


TIMEFRAME = Timeframe()
