"""The console over 240 markets and 20 projects against its budgets: first paint, key to change, CPU.

The console is the real one, in a terminal of its own process, over the real control socket; the appliance
behind it is simulated in this process, which is not measured. It has byte code, as an installed one: a first
start that is not counted compiles it. Live means two states a second and a new price
of every market each second, as a busy exchange sends them.

    .venv/bin/python -m scripts.bench.console               # 15 s each of rest and of life
    .venv/bin/python -m scripts.bench.console --seconds 3
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from appliance import clock
from appliance.config.paths import Paths
from appliance.control.api import ApplianceStatus, MarketStatus, StreamMessage
from appliance.control.hub import Hub
from appliance.domain.candle import LiveCandle
from scripts.bench.measured import load
from tests import builders, fleet
from tests.control_bench import serving
from tests.fakes.control import FakeControl

COLUMNS, ROWS = 120, 40
TICKS = os.sysconf("SC_CLK_TCK")
QUIET_SECONDS = 0.05
"""A key's change has ended when nothing was written for so long."""
_DEADLINE = 60.0
_CONSOLE = """
import sys
from datetime import datetime
from appliance import clock
from appliance.__main__ import main
started, real, at = clock.now(), clock.now, datetime.fromisoformat(sys.argv.pop())
clock.now = lambda: at + (real() - started)
main()
"""
"""The console's process: the command `appliance`, with nothing of this bench but its clock."""
_PRESSES = 9


@dataclass(frozen=True)
class Figure:
    """A measured value beside its budget."""

    name: str
    value: float
    budget: float
    unit: str

    @property
    def is_kept(self) -> bool:
        """Whether the value is within the budget."""
        return self.value <= self.budget

    def __str__(self) -> str:
        word = "ok" if self.is_kept else "OVER"
        return f"{self.name:<40}{self.value:9.1f} / {self.budget:4.0f} {self.unit:<3} {word}"


class Console:
    """The console's process and its terminal."""

    def __init__(self, home: Path) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.began = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CONSOLE, builders.NOW.isoformat()],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**_inherited(), "APPLIANCE_HOME": str(home), "TERM": "xterm-256color"}
            | {"PYTHONPYCACHEPREFIX": str(home / "bytecode")},
        )
        os.close(slave)

    def wait_for(self, text: bytes) -> float:
        """Return how long after its start the console has written `text`."""
        written = b""
        while text not in written:
            chunk = self._read(_DEADLINE)
            if not chunk:
                raise SystemExit(f"the console has not shown {text!r}: {written[-500:]!r}")
            written = written[-8192:] + chunk
        return time.perf_counter() - self.began

    def press(self, keys: bytes) -> float:
        """Return how long after a key the last of what it changes is written, the first try that is quiet."""
        self.settle(0.3)
        began = last = time.perf_counter()
        os.write(self._master, keys)
        while self._read(QUIET_SECONDS if last > began else 2.0):
            last = time.perf_counter()
        return last - began

    def settle(self, seconds: float) -> None:
        """Read for a while what is written."""
        until = time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            self._read(left)

    def cpu_since_start(self) -> float:
        """Return the seconds of a core that the console has taken."""
        return self._ticks() / TICKS

    def cpu(self, seconds: float) -> float:
        """Return the share of a core that the console takes, in percent."""
        before, began = self._ticks(), time.perf_counter()
        self.settle(seconds)
        return 100 * (self._ticks() - before) / TICKS / (time.perf_counter() - began)

    def megabytes(self) -> float:
        """Return the resident memory."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024

    def close(self) -> None:
        """End the console."""
        self._process.terminate()
        self.settle(0.5)
        self._process.wait(10)
        os.close(self._master)

    def _ticks(self) -> int:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    def _read(self, seconds: float) -> bytes:
        ready, _, _ = select.select([self._master], [], [], max(seconds, 0))
        try:
            return os.read(self._master, 1 << 16) if ready else b""
        except OSError:
            return b""


def _inherited() -> dict[str, str]:
    """Return this process' environment but for what forbids Python to keep byte code."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class Life:
    """Sends what a busy appliance does, while it is on."""

    def __init__(self, hub: Hub, status: ApplianceStatus) -> None:
        self._hub, self._status = hub, status
        self._is_on, self._is_over = threading.Event(), threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    @contextmanager
    def on(self) -> Iterator[None]:
        """Be live inside the block."""
        self._is_on.set()
        try:
            yield
        finally:
            self._is_on.clear()

    def _run(self) -> None:
        began = clock.monotonic()
        while self._is_on.wait():
            passed = timedelta(seconds=clock.monotonic() - began)
            markets = [_moved(market, passed) for market in self._status.markets]
            self._hub.publish(StreamMessage(status=self._now(markets, passed)))
            for market in markets:
                self._hub.publish(StreamMessage(live=market.live))
            time.sleep(0.5)
            self._hub.publish(StreamMessage(status=self._now(markets, passed)))
            time.sleep(0.5)

    def _now(self, markets: Sequence[MarketStatus], passed: timedelta) -> ApplianceStatus:
        return replace(self._status, at=builders.NOW + passed, markets=tuple(markets))


def _moved(market: MarketStatus, passed: timedelta) -> MarketStatus:
    assert market.live is not None
    close = market.live.candle.close * (1.0 + 0.0001 * (passed.total_seconds() % 7))
    live = LiveCandle(replace(market.live.candle, close=close), builders.NOW + passed)
    lag = (market.lag_seconds or 0.0) + passed.total_seconds() % 60
    return replace(market, live=live, lag_seconds=lag)


def main() -> int:
    """Measure and print; return 1 when a budget is not kept and `--check` was given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markets", type=int, default=240)
    parser.add_argument("--projects", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=15.0, help="of rest and of life")
    parser.add_argument("--check", action="store_true", help="fail when a budget is not kept")
    options = parser.parse_args()
    status = fleet.status(options.markets, options.projects)
    print(f"{options.markets} markets, {options.projects} projects; {load()}; measured / budget")
    figures = _measure(status, options.seconds)
    return int(options.check and not all(figure.is_kept for figure in figures))


def _measure(status: ApplianceStatus, seconds: float) -> list[Figure]:
    hub, figures = Hub(status), []

    def note(name: str, value: float, budget: float, unit: str) -> None:
        figures.append(Figure(name, value, budget, unit))
        print(figures[-1], flush=True)

    with tempfile.TemporaryDirectory(prefix="appliance-bench-") as folder:
        paths = Paths(Path(folder))
        paths.create()
        life = Life(hub, status)
        with serving(FakeControl(status), hub, paths):
            first = Console(paths.home)
            first.wait_for(b"Services")
            first.close()
            console = Console(paths.home)
            try:
                painted = 1e3 * console.wait_for(b"Services")
                used = 1e3 * console.cpu_since_start()
                note("first paint, Python's start included", painted, 1000, "ms")
                note("CPU until the first paint", used, 1000, "ms")
                console.settle(3.0)
                for name, step in _steps(console):
                    times = [step() for _ in range(_PRESSES)]
                    note(f"key to change: {name}", 1e3 * statistics.median(times), 100, "ms")
                note("CPU at rest, dashboard", console.cpu(seconds), 5, "%")
                with life.on():
                    console.settle(2.0)
                    note("CPU live, dashboard", console.cpu(seconds), 15, "%")
                    console.press(b"d")
                    note("CPU live, data screen", console.cpu(seconds), 15, "%")
                print(f"memory: {console.megabytes():.0f} MB")
            finally:
                console.close()
    return figures


def _steps(console: Console) -> Iterator[tuple[str, Callable[[], float]]]:
    def back_from(key: bytes) -> Callable[[], float]:
        def step() -> float:
            took = console.press(key)
            console.press(b"\x1b")
            return took

        return step

    yield "j, dashboard", lambda: console.press(b"j")
    yield "], next market", lambda: console.press(b"]")
    yield "d, data screen", back_from(b"d")
    yield "c, list of markets", back_from(b"c")
    yield "!, problems", back_from(b"!")
    console.press(b"d")
    yield "j, data screen", lambda: console.press(b"j")
    yield "G and g, data screen", lambda: console.press(b"Gg")
    console.press(b"\x1b")


if __name__ == "__main__":
    sys.exit(main())
