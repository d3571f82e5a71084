"""Who decides on a project's production: one at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.errors import RegistryUnavailable
from appliance.registry.production_lock import ProductionLock

PATIENCE = 0.05
HOLDER = """
import sys
from pathlib import Path
from appliance.registry.production_lock import ProductionLock

with ProductionLock(Path(sys.argv[1]), 0.0).held("shop"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_by_another(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Hold the lock of `shop` in another process until its input ends."""
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_another_s_decision_is_waited_for_and_then_named(tmp_path: Path) -> None:
    lock = ProductionLock(tmp_path / "locks", PATIENCE)
    with held_by_another(tmp_path / "locks") as process:
        with pytest.raises(RegistryUnavailable, match=f"process {process.pid} .*deciding.*shop"):
            lock.held("shop").__enter__()
        with lock.held("another"):
            pass


def test_two_threads_of_a_process_take_turns_too(tmp_path: Path) -> None:
    lock = ProductionLock(tmp_path, PATIENCE)
    with lock.held("shop"), pytest.raises(RegistryUnavailable, match=f"process {os.getpid()} "):
        lock.held("shop").__enter__()
    with lock.held("shop"):
        pass


def test_a_frozen_process_holds_it_and_a_dead_one_does_not(tmp_path: Path) -> None:
    with held_by_another(tmp_path) as process:
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(RegistryUnavailable):
            ProductionLock(tmp_path, PATIENCE).held("shop").__enter__()
        process.kill()
        with ProductionLock(tmp_path, 10.0).held("shop"):
            pass
