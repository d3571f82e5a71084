"""From the close of a candle to its stored forecast, in its parts, on a running appliance.

    .venv/bin/python scripts/bench/live_forecast.py [--candles 200] [--project crypto_forecast]

The appliance of $APPLIANCE_HOME must be up on its simulator, with a model in production. All times are real
seconds, also when the simulated market runs faster; the instant of a close comes from the simulator's own
clock. Parts: until the closed candle is found in the store (ingestion: the exchange lists a closed
candle, the ingestor asks for it and stores it, the forecaster sees it), until its features are stored,
until the forecast exists, until it is stored. Beside them memory (PSS) and CPU of the forecaster.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import httpx

from appliance import clock
from appliance.config.paths import Paths
from appliance.config.ports import service_url
from appliance.forecaster_api.client import ForecasterUnavailable, ask_report
from appliance.forecaster_api.wire import LiveProject, LiveTiming

TICKS = os.sysconf("SC_CLK_TCK")
PARTS = ("close to readable", "features", "forecast", "stored", "close to stored")
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class SimulatedClock:
    """Host instants of simulated ones, from a look at both clocks."""

    host_at: datetime
    simulated_at: datetime
    speed: float

    def host(self, simulated_at: datetime) -> datetime:
        """Return when `simulated_at` was or will be."""
        return self.host_at + (simulated_at - self.simulated_at) / self.speed


def read_clock(url: str) -> SimulatedClock:
    """Return the simulator's clock, from the fastest of twenty looks."""
    looks = []
    for _ in range(20):
        before = clock.now()
        told = httpx.get(f"{url}/sim", trust_env=False).raise_for_status().json()
        took = clock.now() - before
        at = datetime.fromisoformat(told["now"])
        looks.append((took, SimulatedClock(before + took / 2, at, float(told["speed"]))))
    return min(looks, key=lambda look: look[0])[1]


def timings(paths: Paths, project: str, count: int) -> Iterator[tuple[LiveProject, LiveTiming]]:
    """Yield the next `count` forecasts of a project as they are made."""
    seen: datetime | None = None
    while count:
        try:
            found = [each for each in ask_report(paths).projects if each.project == project]
        except ForecasterUnavailable:
            found = []
        for each in found:
            if each.timing is not None and each.timing.candle_date_time_utc != seen:
                if seen is not None:
                    count -= 1
                    yield each, each.timing
                seen = each.timing.candle_date_time_utc
        time.sleep(LOOK_SECONDS)


def parts_of(closed_at: datetime, timing: LiveTiming) -> tuple[float, ...]:
    """Return the seconds of each part, in the order of `PARTS`."""
    instants = (
        closed_at,
        timing.seen_at,
        timing.prepared_at,
        timing.made_at,
        timing.stored_at,
    )
    steps = [(b - a).total_seconds() for a, b in itertools.pairwise(instants)]
    return (*steps, (timing.stored_at - closed_at).total_seconds())


def cpu_seconds(pid: int) -> float:
    """Return user and system seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def pss_megabytes(pid: int) -> float:
    """Return a process's proportional set size."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candles", type=int, default=200)
    parser.add_argument("--project", default="crypto_forecast")
    asked = parser.parse_args()
    paths = Paths.from_environment()
    pid = ask_report(paths).pid
    simulated = read_clock(service_url(paths, "simulator"))
    began, used = time.monotonic(), cpu_seconds(pid)
    rows = []
    for project, timing in timings(paths, asked.project, asked.candles):
        closes_at = timing.candle_date_time_utc + timedelta(minutes=project.unit)
        rows.append(parts_of(simulated.host(closes_at), timing))
        print(f"\r{len(rows)}/{asked.candles} {rows[-1][-1]:.2f} s", end="", flush=True)
    cpu = 100 * (cpu_seconds(pid) - used) / (time.monotonic() - began)
    print(f"\n{len(rows)} candles at {simulated.speed:g}x, load {os.getloadavg()[0]:.1f}")
    for name, values in zip(PARTS, zip(*rows, strict=True), strict=True):
        p95 = statistics.quantiles(values, n=20)[-1] if len(values) > 1 else values[0]
        print(f"{name:20} median {statistics.median(values):6.3f} s  p95 {p95:6.3f} s")
        print(f"{'':20} worst  {max(values):6.3f} s")
    print(f"forecaster: {pss_megabytes(pid):.0f} MB PSS, {cpu:.1f} % of a core")
    print(
        json.dumps({name: list(v) for name, v in zip(PARTS, zip(*rows, strict=True), strict=True)})
    )


if __name__ == "__main__":
    main()
