"""Services are started in order, watched, restarted inside a budget, and stopped completely."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from dataclasses import replace

import pytest

from appliance.config.paths import Paths
from appliance.domain.event import EventKind
from appliance.domain.service import ServiceState, ServiceStatus
from appliance.errors import ServiceError
from appliance.supervisor import runtime
from appliance.supervisor.procfs import session_members
from appliance.supervisor.services import store_spec
from appliance.supervisor.spec import (
    Probe,
    ProcessFacts,
    ServiceImpossible,
    Workbench,
)
from appliance.supervisor.supervisor import Supervisor
from tests.builders import KIM
from tests.mlflow_process import server_spec
from tests.supervised import (
    SLEEPER,
    TIMING,
    FileProbe,
    Watch,
    eventually,
    running,
    service,
)
from tests.waiting import wait_until


async def test_a_service_starts_when_its_dependency_is_ready(home: Paths) -> None:
    gate = home.run / "gate"
    first = service("first", probe=FileProbe(gate))
    second = service("second", dependencies=("first",))
    async with running(home, first, second) as watch:
        await watch.until(lambda: watch.of("first").observed is ServiceState.STARTING)
        assert watch.of("second").observed is ServiceState.WAITING
        assert watch.of("second").reason == "waiting for first"
        gate.touch()
        await watch.all_ready()
    assert watch.seen.index(("first", ServiceState.READY)) < watch.seen.index(
        ("second", ServiceState.STARTING)
    )


async def test_a_killed_service_comes_back_after_its_whole_session_has_gone(home: Paths) -> None:
    fork = "import os, time\nif os.fork() == 0: os.setpgid(0, 0)\nwhile True: time.sleep(60)"
    async with running(home, service("one", fork)) as watch:
        await watch.all_ready()
        pid = watch.of("one").pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await watch.until(lambda: watch.of("one").observed is ServiceState.BACKING_OFF)
        assert session_members(pid) == []
        assert watch.of("one").reason.startswith("killed by SIGKILL; restart 1 of 30")
        await watch.all_ready()
        assert watch.of("one").pid != pid
        assert watch.of("one").restarts == 1


async def test_a_crash_loop_is_given_up_with_cause_and_next_step(home: Paths) -> None:
    program = "print('no licence found'); raise SystemExit(3)"
    async with running(home, service("broken", program)) as watch:
        await watch.until(lambda: watch.of("broken").observed is ServiceState.GIVEN_UP)
        reason = watch.of("broken").reason
        assert "exited with code 3: no licence found" in reason
        assert "`appliance logs broken`, then `appliance restart broken`" in reason
        given_up = [event for event in watch.events if event.kind is EventKind.SERVICE_GIVEN_UP]
        assert len(given_up) == 1
        assert watch.of("broken").restarts == 2


async def test_an_operators_restart_clears_a_used_up_budget(home: Paths) -> None:
    gate = home.run / "gate"
    program = f"import os, time\nif not os.path.exists({str(gate)!r}): raise SystemExit(3)\n"
    async with running(home, service("one", program + SLEEPER)) as watch:
        await watch.until(lambda: watch.of("one").observed is ServiceState.GIVEN_UP)
        gate.touch()
        await watch.supervisor.restart("one", KIM)
        assert watch.of("one").observed is not ServiceState.GIVEN_UP
        await watch.all_ready()
        assert any(event.origin == KIM for event in watch.events)


async def test_a_service_that_stays_unhealthy_is_restarted(home: Paths) -> None:
    gate = home.run / "gate"
    gate.touch()
    async with running(home, service("one", probe=FileProbe(gate))) as watch:
        await watch.all_ready()
        gate.unlink()
        await watch.until(lambda: watch.of("one").observed is ServiceState.BACKING_OFF)
        assert ServiceState.UNHEALTHY in watch.states("one")
        assert "unhealthy for 0.3 s: no file" in watch.of("one").reason
        gate.touch()
        await watch.all_ready()


async def test_a_service_is_not_blamed_while_its_witness_is_down(home: Paths) -> None:
    gate, look = home.run / "gate", home.run / "look"
    gate.touch()
    look.touch()
    witness = service("witness", probe=FileProbe(gate), timing=replace(TIMING, unhealthy_limit=60))
    watched = service("watched", probe=FileProbe(look), witnesses=("witness",))
    async with running(home, witness, watched) as watch:
        await watch.all_ready()
        pid = watch.of("watched").pid
        gate.unlink()
        await watch.until(lambda: watch.of("watched").observed is ServiceState.UNKNOWN)
        assert "witness is not ready" in watch.of("watched").reason
        gate.touch()
        await watch.all_ready()
        assert watch.of("watched").pid == pid


async def test_a_probe_that_hangs_or_fails_counts_as_a_failed_look(home: Paths) -> None:
    def broken(process: ProcessFacts) -> Probe:
        raise ValueError("cannot parse")

    async with running(home, service("one", probe=broken)) as watch:
        await watch.until(lambda: watch.of("one").reason == "ValueError: cannot parse")
        assert watch.of("one").observed is ServiceState.STARTING


async def test_a_preparation_is_shown_as_the_reason_and_repeated_at_each_start(home: Paths) -> None:
    ran: list[int] = []

    async def prepare(bench: Workbench) -> None:
        bench.say("creating the database")
        ran.append(await bench.execute([sys.executable, "-c", "print('hello')"]))

    async with running(home, service("one", prepare=prepare)) as watch:
        await watch.all_ready()
        await watch.supervisor.restart("one", KIM)
        await watch.until(lambda: watch.of("one").observed is ServiceState.STOPPING)
        await watch.all_ready()
    assert ran == [0, 0]
    assert "creating the database" in watch.reasons
    assert "hello" in (home.logs / "one.log").read_text()


async def test_a_start_that_can_never_succeed_is_not_tried_again(home: Paths) -> None:
    async def prepare(bench: Workbench) -> None:
        raise ServiceImpossible("this machine forbids it", hint="use another")

    async with running(home, service("one", prepare=prepare)) as watch:
        await watch.until(lambda: watch.of("one").observed is ServiceState.GIVEN_UP)
        assert watch.of("one").reason == "this machine forbids it; use another"
        assert watch.of("one").restarts == 0


async def test_stop_goes_by_stages_and_leaves_no_process(home: Paths) -> None:
    ends = home.run / "ends"
    program = (
        "import os, signal, sys, time\n"
        "def end(*_):\n"
        f"    open({str(ends)!r}, 'a').write(sys.argv[1] + '\\n'); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "if os.fork() == 0:\n"
        "    os.setpgid(0, 0); signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready')\n"
        "while True: time.sleep(60)"
    )
    specs = [
        replace(service(name, program), stop_stage=stage)
        for name, stage in (("last", 2), ("first", 0), ("middle", 1))
    ]
    specs = [replace(spec, command=(*spec.command, spec.name)) for spec in specs]
    watch = Watch(home, *specs)
    await watch.supervisor.start()
    await watch.all_ready()
    logs = [home.logs / f"{spec.name}.log" for spec in specs]
    await eventually(lambda: all("ready" in log.read_text() for log in logs))
    pids = [status.pid for status in watch.supervisor.services()]
    await watch.supervisor.stop()
    assert ends.read_text().split() == ["first", "middle", "last"]
    assert [session_members(pid) for pid in pids if pid is not None] == [[], [], []]
    assert all(status.observed is ServiceState.STOPPED for status in watch.supervisor.services())
    assert not home.sessions_file.exists()


async def test_stop_during_a_start_leaves_no_process(home: Paths) -> None:
    started = asyncio.Event()

    async def prepare(bench: Workbench) -> None:
        started.set()
        await bench.execute([sys.executable, "-c", SLEEPER])

    watch = Watch(home, service("one", prepare=prepare))
    await watch.supervisor.start()
    await started.wait()
    await eventually(watch.supervisor.sessions)
    pids = [record.leader for record in watch.supervisor.sessions()]
    began = time.monotonic()
    await watch.supervisor.stop()
    assert time.monotonic() - began < 5
    assert session_members(pids[0]) == []


async def test_services_run_private_in_a_session_of_their_own(home: Paths) -> None:
    program = (
        "import os, sys\n"
        "mask = os.umask(0o022)\n"
        "print(f'mask={mask:o} leads={os.getsid(0) == os.getpid()} in={sys.stdin.read()!r}')\n"
        + SLEEPER
    )
    log = home.logs / "one.log"
    async with running(home, service("one", program)) as watch:
        await watch.all_ready()
        await eventually(lambda: "leads" in log.read_text())
    assert "mask=77 leads=True in=''" in log.read_text()


async def test_an_unknown_service_is_refused_with_the_known_names(home: Paths) -> None:
    async with running(home, service("one"), service("two")) as watch:
        with pytest.raises(ServiceError) as caught:
            await watch.supervisor.restart("three", KIM)
        assert caught.value.hint == "services: one, two"


async def test_a_subscriber_gets_a_snapshot_first_and_nothing_after_it_ends(home: Paths) -> None:
    supervisor = Supervisor(home, [service("one")])
    told: list[tuple[ServiceStatus, ...]] = []
    unsubscribe = supervisor.subscribe(told.append)
    assert [status.name for status in told[0]] == ["one"]
    unsubscribe()
    await supervisor.start()
    await supervisor.stop()
    assert len(told) == 1


async def test_a_program_that_does_not_exist_is_named(home: Paths) -> None:
    spec = replace(service("one"), command=("/no/such/program",))
    async with running(home, spec) as watch:
        await watch.until(lambda: watch.of("one").observed is ServiceState.GIVEN_UP)
        assert "/no/such/program: No such file or directory" in watch.of("one").reason


async def test_a_full_disk_is_waited_for_without_using_up_the_budget(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = [0]
    monkeypatch.setattr(Supervisor, "free_bytes", lambda _: room[0])
    monkeypatch.setattr("appliance.supervisor.managed.ROOM_SECONDS", 0.05)
    async with running(home, service("one")) as watch:
        await watch.until(lambda: "waiting for disk space" in watch.of("one").reason)
        assert watch.of("one").observed is ServiceState.WAITING
        room[0] = 1_000_000_000
        await watch.all_ready()
        assert watch.of("one").restarts == 0


async def test_a_chore_runs_to_its_end_and_is_ended_with_its_session(home: Paths) -> None:
    async with running(home) as watch:
        command = (sys.executable, "-c", "print('done'); raise SystemExit(3)")
        assert await watch.supervisor.run("chore", command, dict(os.environ)) == 3
        assert "done" in (home.logs / "chore.log").read_text()
        command = (sys.executable, "-c", SLEEPER)
        chore = asyncio.create_task(watch.supervisor.run("chore", command, dict(os.environ)))
        await eventually(watch.supervisor.sessions)
        (record,) = watch.supervisor.sessions()
        chore.cancel()
        await asyncio.gather(chore, return_exceptions=True)
        assert session_members(record.leader) == []
        assert watch.supervisor.sessions() == ()


@pytest.mark.long
async def test_old_models_and_runs_go_by_themselves(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "COLLECT_DELAY_SECONDS", 0.0)
    log = home.logs / "retention.log"
    async with running(home, store_spec(home), server_spec(home)) as watch:
        collecting = asyncio.create_task(runtime._collect_daily(home, watch.supervisor))
        said = "removed 0, 0 bytes"
        await asyncio.to_thread(wait_until, lambda: log.exists() and said in log.read_text(), 90.0)
        collecting.cancel()
        await asyncio.gather(collecting, return_exceptions=True)
