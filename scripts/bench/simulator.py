"""How many pages of 200 candles the simulator serves a second of one core, beside its own transport.

    .venv/bin/python -m scripts.bench.simulator [--requests 5000]

Eight kept-alive connections, limits off. The pages lie 200 minutes apart, so each is asked for once; then all
of them again. Counted are seconds of the server's own CPU, which a busy machine or a slow client does not
change, and seconds by the clock. The peer answers every request with one fixed page by the same transport
(uvicorn, httptools, uvloop): what is left is the simulator's own work. Goal: 1,000.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from appliance.config.paths import SOURCE_ROOT

END_AT = datetime(2026, 1, 5, 12, tzinfo=UTC)
CONNECTIONS, PAGE = 8, 200
STUB = "stub"


def main() -> None:
    """Measure and print, or serve as the peer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--serve", choices=[STUB], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve_stub()
        return
    simulator = ("appliance.simulator", "--no-limits", "--start", END_AT.isoformat())
    for encoding in ("identity", "gzip"):
        with server(*simulator) as running:
            rates = {
                name: measure(running, encoding, given.requests)
                for name in ("each page once", "each page again")
            }
        with server("scripts.bench.simulator", "--serve", STUB) as running:
            limit = measure(running, encoding, given.requests)
        for name, rate in rates.items():
            print(
                f"{encoding:9} {name:16} {rate.of_cpu:6,.0f} pages per CPU second, "
                f"{rate.by_clock:6,.0f} by the clock; fixed page {limit.of_cpu:7,.0f}, "
                f"{limit.by_clock:6,.0f}; simulator / fixed {rate.of_cpu / limit.of_cpu:.2f}"
            )


@dataclass(frozen=True, slots=True)
class Server:
    """A server process and its port."""

    pid: int
    port: int

    def cpu_seconds(self) -> float:
        """Return the CPU time that it has used, in seconds."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Rate:
    """Pages a second, of the server's CPU and by the clock."""

    of_cpu: float
    by_clock: float


def measure(running: Server, encoding: str, count: int) -> Rate:
    """Ask for `count` pages and return the rate at which they came."""
    used, started = running.cpu_seconds(), time.perf_counter()
    asyncio.run(_ask(running.port, encoding, count))
    used, seconds = running.cpu_seconds() - used, time.perf_counter() - started
    return Rate(count / used, count / seconds)


async def _ask(port: int, encoding: str, count: int) -> None:
    pages = iter(range(count))
    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(_one_connection(port, encoding, pages))


async def _one_connection(port: int, encoding: str, pages: Iterator[int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for page in pages:
        to = END_AT - timedelta(minutes=PAGE * page)
        target = f"/v1/candles/minutes/1?market=KRW-BTC&count={PAGE}&to={to:%Y-%m-%dT%H:%M:%SZ}"
        head = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {encoding}\r\n\r\n"
        writer.write(head.encode())
        reply = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not reply.startswith(b"http/1.1 200"):
            raise SystemExit(f"the server answers {reply[:60]!r}")
        await reader.readexactly(int(reply.partition(b"content-length: ")[2].split(b"\r\n")[0]))
    writer.close()


@contextmanager
def server(*module: str) -> Iterator[Server]:
    """Run a module that prints its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", *module],
        cwd=SOURCE_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield Server(process.pid, int(process.stdout.readline().rsplit(":", 1)[1]))
    finally:
        process.terminate()
        process.wait(10)


def serve_stub() -> None:
    """Answer everything with one page of candles, plain and in gzip."""
    import gzip
    import socket

    import uvicorn

    row = (
        b'{"market":"KRW-BTC","candle_date_time_utc":"2026-03-11T14:40:00","candle_date_time_kst":'
        b'"2026-03-11T23:40:00","opening_price":103600000.00000000,"high_price":103600000.00000000,'
        b'"low_price":103425000.00000000,"trade_price":103460000.00000000,"timestamp":1773240059132,'
        b'"candle_acc_trade_price":164899503.14206000,"candle_acc_trade_volume":1.59335120,"unit":1}'
    )
    plain = b"[" + b",".join([row] * PAGE) + b"]"
    packed = gzip.compress(plain, 1)

    async def app(scope: dict[str, Any], _receive: Any, send: Any) -> None:
        takes_gzip = (b"accept-encoding", b"gzip") in scope["headers"]
        body = packed if takes_gzip else plain
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", lifespan="off", log_level="warning", access_log=False
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
