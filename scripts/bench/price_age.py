"""How old the price on the screen is: WebSocket frame -> ingestor -> store -> collector -> stream -> widget.

Runs the dashboard without a terminal against the appliance of a home, beside a WebSocket client of its own on
the same source. Every 20 ms what the chart's title shows is compared with the newest frame: a shown price is
as old as the first frame after it; 0 while it is the newest. Prints median, p95 and maximum in seconds.

    APPLIANCE_HOME=... python scripts/bench/price_age.py --seconds 60
"""

from __future__ import annotations

import argparse
import asyncio
import time
from datetime import datetime
from statistics import median, quantiles

from appliance.config.paths import Paths
from appliance.config.settings import load_settings
from appliance.control.client import ControlClient
from appliance.domain.candle import Candle
from appliance.exchange.source import resolve_source
from appliance.tui.app import ApplianceApp
from appliance.tui.presentation.formats import price
from appliance.tui.widgets.panel import Panel
from appliance.upbit.websocket import CandleStream

SAMPLE_SECONDS = 0.02


class Truth:
    """What the source has sent of one market, by the candle's identity, and when it came, oldest first."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, Candle]] = []

    async def follow(self, url: str, market: str, unit: int) -> None:
        """Take frames until cancelled."""
        stream = CandleStream(url, (market,), (unit,), lambda _status: None)
        async for live in stream.candles():
            if not self.sent or self.sent[-1][1] != live.candle:
                self.sent.append((time.monotonic(), live.candle))

    def age(self, shown: Candle, now: float) -> float:
        """Return how long ago `shown` was replaced; 0 when nothing newer has come here."""
        newer = [at for at, candle in self.sent if _order(candle) > _order(shown)]
        return now - newer[0] if newer else 0.0


def _order(candle: Candle) -> tuple[datetime, float]:
    return candle.candle_date_time_utc, candle.volume


async def measure(seconds: float) -> tuple[list[float], int]:
    """Return the sampled ages and how many prices came."""
    paths = Paths.from_environment()
    source = resolve_source(load_settings(paths), paths)
    app, truth, ages = ApplianceApp(ControlClient(paths)), Truth(), []
    async with app.run_test(size=(120, 40)) as pilot:
        while app.board.feed is None or app.board.live_candle is None:
            await pilot.pause(0.1)
        following = asyncio.create_task(truth.follow(source.websocket_url, *app.board.feed))
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await asyncio.sleep(SAMPLE_SECONDS)
            title, live = (
                str(app.screen.query_one("#market", Panel).view.title),
                app.board.live_candle,
            )
            if live is None or price(live.candle.close) not in title:
                raise SystemExit(f"the chart's title does not show the newest price known: {title}")
            ages.append(truth.age(live.candle, time.monotonic()))
        following.cancel()
    return ages, len(truth.sent)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    ages, prices = asyncio.run(measure(parser.parse_args().seconds))
    cuts = quantiles(ages, n=1000)
    print(
        f"{len(ages):,} samples, {prices} prices: median {median(ages):.2f} s, "
        f"p95 {cuts[949]:.2f} s, p99.9 {cuts[998]:.2f} s, max {max(ages):.2f} s"
    )


if __name__ == "__main__":
    main()
