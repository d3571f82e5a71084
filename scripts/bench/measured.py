"""Time and memory of a piece of work, each in a process of its own; and of a peer in another environment.

A peer is a script for another Python, whose last line of output is a `Cost` as JSON.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PEER_HEAD = """
import json, sys, time, warnings
warnings.filterwarnings("ignore")
def memory(name):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024
def measure(work):
    open("/proc/self/clear_refs", "w").write("5")
    before, began, worked = memory("VmRSS:"), time.perf_counter(), time.process_time()
    work()
    seconds, cpu = time.perf_counter() - began, time.process_time() - worked
    print(json.dumps({"seconds": seconds, "cpu": cpu, "megabytes": memory("VmHWM:") - before}))
"""
"""Put before a peer's script: `measure(work)` prints its line."""


@dataclass(frozen=True)
class Cost:
    """What a piece of work took.

    `cpu` are the seconds of all its threads on a core, which other work on the machine does not lengthen;
    `megabytes` the peak of the resident memory above that before it.
    """

    seconds: float
    cpu: float
    megabytes: float

    def __str__(self) -> str:
        return f"{self.seconds:8.3f} s ({self.cpu:.3f} s of a core) {self.megabytes:6.0f} MB"


def measure(work: Callable[[], object], repeats: int = 3) -> Cost:
    """Return the fastest of some runs, each in a fork of this process, and the largest peak."""
    costs = [_in_a_fork(work) for _ in range(repeats)]
    return Cost(
        min(cost.seconds for cost in costs),
        min(cost.cpu for cost in costs),
        max(cost.megabytes for cost in costs),
    )


def measure_here(work: Callable[[], object]) -> Cost:
    """Return what one run costs in this process."""
    Path("/proc/self/clear_refs").write_text("5")
    before, began, worked = _memory("VmRSS:"), time.perf_counter(), time.process_time()
    work()
    seconds, cpu = time.perf_counter() - began, time.process_time() - worked
    return Cost(seconds, cpu, _memory("VmHWM:") - before)


def measure_peer(python: str, script: str, *arguments: str) -> Cost:
    """Return what a script costs that ends with `measure(...)`, in another environment."""
    with tempfile.TemporaryDirectory(prefix="appliance-bench-") as folder:
        path = Path(folder) / "peer.py"
        path.write_text(PEER_HEAD + script)
        done = subprocess.run(
            [python, str(path), *arguments], capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise SystemExit(f"the peer failed: {done.stderr.strip().splitlines()[-1]}")
    return Cost(**json.loads(done.stdout.strip().splitlines()[-1]))


def load() -> str:
    """Return the machine's load, to be told beside times."""
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def _in_a_fork(work: Callable[[], object]) -> Cost:
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def run() -> None:
        cost = measure_here(work)
        sender.send(cost)

    process = context.Process(target=run)
    process.start()
    sender.close()
    try:
        cost: Cost = receiver.recv()
    except EOFError:
        raise SystemExit("the measured work failed") from None
    process.join()
    return cost


def _memory(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024
