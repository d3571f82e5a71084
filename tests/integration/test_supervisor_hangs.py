"""A process that lives and does not serve: noticed, ended, started again; nobody else is blamed."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace

import pytest

from appliance.config.paths import Paths
from appliance.domain.event import EventKind
from appliance.domain.service import ServiceState
from appliance.supervisor import observer
from appliance.supervisor.spec import Probe, ProcessFacts
from tests.builders import KIM
from tests.supervised import (
    SLEEPER,
    TIMING,
    FileProbe,
    Watch,
    always,
    eventually,
    running,
    service,
)

DEAF = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{SLEEPER}"


def pid_of(watch: Watch, name: str) -> int:
    pid = watch.of(name).pid
    assert pid is not None
    return pid


async def back(watch: Watch, name: str, before: int) -> None:
    await watch.until(lambda: watch.of(name).is_ready and watch.of(name).pid != before, 20)


async def test_a_process_stopped_by_a_signal_is_noticed_and_replaced(home: Paths) -> None:
    async with running(home, service("one"), service("other")) as watch:
        await watch.all_ready()
        pid, other = pid_of(watch, "one"), pid_of(watch, "other")
        os.kill(pid, signal.SIGSTOP)
        await watch.until(lambda: not watch.of("one").is_ready, 15)
        await back(watch, "one", pid)
        assert watch.of("other").pid == other
    told = [e.summary for e in watch.events if e.kind is EventKind.SERVICE_STATE]
    assert f"one is unhealthy: a signal has stopped pid {pid}" in told


async def test_a_look_that_waits_for_a_stopped_process_does_not_delay_the_notice(
    home: Paths,
) -> None:
    hangs, asked = threading.Event(), threading.Event()

    def hang_when_told(process: ProcessFacts) -> Probe:
        if hangs.is_set():
            asked.set()
            threading.Event().wait(15)
        return Probe(is_ready=True, evidence="runs")

    patient = replace(TIMING, timeout=60.0, unhealthy_limit=60.0)
    spec = service("one", probe=hang_when_told, timing=patient)
    async with running(home, spec) as watch:
        await watch.all_ready()
        hangs.set()
        await eventually(asked.is_set)
        os.kill(pid_of(watch, "one"), signal.SIGSTOP)
        await watch.until(lambda: watch.of("one").observed is ServiceState.UNHEALTHY, 10)


async def test_it_is_stopped_five_times_and_killed_five_times_and_not_given_up(home: Paths) -> None:
    async with running(home, service("one")) as watch:
        for number in [signal.SIGSTOP, signal.SIGKILL] * 5:
            await watch.all_ready()
            pid = pid_of(watch, "one")
            os.kill(pid, number)
            await back(watch, "one", pid)
        assert ServiceState.GIVEN_UP not in watch.states("one")


async def test_a_hung_process_is_not_given_its_whole_time_to_stop(home: Paths) -> None:
    gate = home.run / "gate"
    gate.touch()
    deaf = service("deaf", DEAF, probe=FileProbe(gate), stop_grace=60.0)
    async with running(home, deaf) as watch:
        await watch.all_ready()
        pid, began = pid_of(watch, "deaf"), time.monotonic()
        gate.unlink()
        await watch.until(lambda: watch.of("deaf").observed is ServiceState.BACKING_OFF)
        assert time.monotonic() - began < 8
        gate.touch()
        await back(watch, "deaf", pid)


async def test_a_stopped_process_obeys_an_operators_restart_at_once(home: Paths) -> None:
    slow = replace(TIMING, unhealthy_limit=60.0)
    async with running(home, service("one", stop_grace=60.0, timing=slow)) as watch:
        await watch.all_ready()
        pid = pid_of(watch, "one")
        os.kill(pid, signal.SIGSTOP)
        await watch.until(lambda: not watch.of("one").is_ready, 15)
        await watch.supervisor.restart("one", KIM)
        await back(watch, "one", pid)


async def test_a_dependent_is_not_blamed_while_what_it_needs_fails_or_has_just_come_back(
    home: Paths,
) -> None:
    gate, look = home.run / "gate", home.run / "look"
    gate.touch()
    look.touch()
    below = service("below", probe=FileProbe(gate), timing=replace(TIMING, unhealthy_limit=60))
    above = service("above", probe=FileProbe(look), dependencies=("below",))
    async with running(home, below, above) as watch:
        await watch.all_ready()
        pid = pid_of(watch, "above")
        gate.unlink()
        await watch.until(lambda: not watch.of("below").is_ready)
        look.unlink()
        await watch.until(lambda: watch.of("above").observed is ServiceState.UNKNOWN)
        assert watch.of("above").reason == "below is not ready"
        gate.touch()
        await watch.until(lambda: "below was not ready" in watch.of("above").reason)
        look.touch()
        await watch.all_ready()
        assert watch.of("above").pid == pid


async def test_what_is_still_silent_after_its_dependency_has_recovered_is_replaced(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observer, "RECOVERY_SECONDS", 0.2)
    look = home.run / "look"
    look.touch()
    above = service("above", probe=FileProbe(look), dependencies=("below",))
    async with running(home, service("below"), above) as watch:
        await watch.all_ready()
        look.unlink()
        await watch.until(lambda: watch.of("above").observed is ServiceState.BACKING_OFF)


async def test_probes_that_hang_keep_nobody_else_waiting(home: Paths) -> None:
    release = threading.Event()

    def hang(process: ProcessFacts) -> Probe:
        release.wait(30)
        return Probe(is_ready=True, evidence="at last")

    brief = replace(TIMING, timeout=0.1, start_limit=60.0)
    hanging = [service(f"hangs{n}", probe=hang, timing=brief) for n in range(4)]
    try:
        async with running(home, *hanging, service("fine", probe=always)) as watch:
            await watch.until(lambda: watch.of("fine").is_ready)
            await watch.until(lambda: watch.of("hangs3").reason == "no answer within 0.1 s")
            pid = pid_of(watch, "fine")
            os.kill(pid, signal.SIGKILL)
            await back(watch, "fine", pid)
            lookouts = [t for t in threading.enumerate() if t.name.startswith("lookout")]
            assert len(lookouts) <= 5
            release.set()
            await watch.all_ready()
    finally:
        release.set()
