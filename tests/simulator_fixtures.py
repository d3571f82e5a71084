"""A real simulator over HTTP for tests, and clients with a request budget of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa

from appliance.simulator.options import SimulatorOptions
from appliance.simulator.server import embedded_simulator
from appliance.upbit.client import UpbitClient
from appliance.upbit.rate_limit import HostRateLimit

NOON = datetime(2026, 1, 5, 12, 0, 30, tzinfo=UTC)
"""Simulated time at which test exchanges begin: half a minute into a candle."""

MARKETS = ("KRW-BTC", "KRW-DOGE", "KRW-ICX")
"""A busy market, a usual one, and one in which most minutes have no trade."""

TOKEN = "known to the tests"
CONTROL = {"Authorization": f"Bearer {TOKEN}"}
"""What a control call has to bring."""

UNLIMITED = SimulatorOptions(seed=7, markets=MARKETS, start_at=NOON, has_limits=False, token=TOKEN)
LIMITED = replace(UNLIMITED, has_limits=True)


@contextmanager
def upbit_client(url: str, directory: Path, per_second: int = 1000) -> Iterator[UpbitClient]:
    """Yield a client; its budget is private to `directory`."""
    with UpbitClient(url, HostRateLimit(directory, per_second)) as client:
        yield client


@contextmanager
def running_simulator(options: SimulatorOptions = UNLIMITED) -> Iterator[str]:
    """Yield the base URL of a simulator that answers."""
    with embedded_simulator(options) as url:
        httpx.get(f"{url}/sim").raise_for_status()
        yield url


def fault(url: str, **fields: object) -> None:
    """Let something go wrong on a simulator."""
    httpx.post(f"{url}/sim/fault", json=fields, headers=CONTROL).raise_for_status()


def faults(url: str) -> dict[str, Any]:
    """Return what the simulator says of its faults: active, coming, started and fired."""
    described: dict[str, Any] = httpx.get(f"{url}/sim").json()["faults"]
    return described


def truth(url: str, market: str = "KRW-BTC", unit: str = "1", **between: str) -> pa.Table:
    """Return the closed candles of a market as they really are; `from_` and `to` limit them."""
    wanted = {name.strip("_"): value for name, value in between.items()}
    reply = httpx.get(f"{url}/sim/truth/candles", params={"market": market, "unit": unit} | wanted)
    return pa.ipc.open_stream(reply.raise_for_status().content).read_all()
