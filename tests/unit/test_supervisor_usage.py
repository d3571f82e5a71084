"""What services take of the machine: read from processes, written down, read back, drawn."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from appliance.config.paths import Paths
from appliance.control.chart_reader import ChartReader
from appliance.domain.chart import Chart
from appliance.errors import StoreUnavailable
from appliance.supervisor import runtime
from appliance.supervisor.procfs import read_process
from appliance.supervisor.sessions import SessionRecord
from appliance.supervisor.usage import SUPERVISOR, Reading, read_usage
from appliance.supervisor.usage_log import (
    KEPT_DAYS,
    ServiceUsage,
    UsageSample,
    append_sample,
    known_span,
    read_samples,
    take_sample,
    usage_between,
)
from store.session import Session
from tests.supervised import eventually, running, service
from tests.waiting import wait_until

AT = datetime(2026, 3, 14, 5, 2, tzinfo=UTC)
BUSY = """
import os, sys
held = bytearray(40_000_000)
held[::4096] = b"x" * len(held[::4096])
if os.fork() == 0:
    n = 0
    while True:
        n += 1
print("up", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def busy() -> Iterator[SessionRecord]:
    """A session whose child computes, of a leader that holds 40 MB."""
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None and process.stdout.readline()
        entry = read_process(process.pid)
        assert entry is not None
        yield SessionRecord("busy", process.pid, entry.started, 15, 1.0)
    finally:
        os.killpg(process.pid, 9)
        process.communicate()


def test_a_session_counts_with_its_children(busy: SessionRecord) -> None:
    before = read_usage([busy])["busy"]
    assert before.memory > 40_000_000
    grown = wait_until(
        lambda: read_usage([busy])["busy"].cpu_seconds > before.cpu_seconds + 0.05, 20, "no CPU"
    )
    assert grown
    assert SUPERVISOR in read_usage([])


def test_a_session_that_has_ended_is_not_there() -> None:
    assert "gone" not in read_usage([SessionRecord("gone", 2**22 - 1, 1, 15, 1.0)])


def test_usage_is_what_was_taken_between_two_readings() -> None:
    before = {"a": Reading(1, 10.0, 5, 1000), "b": Reading(2, 50.0, 5, 9000)}
    after = {"a": Reading(1, 13.0, 7, 4000), "b": Reading(3, 6.0, 8, 600)}
    found = usage_between(before, after, 60.0, {"a": 2})
    assert found["a"] == ServiceUsage(0.05, 7, 50.0, 2)
    assert found["b"] == ServiceUsage(0.1, 8, 10.0, 0)


def sample(minutes: float, cores: float = 0.1, **others: ServiceUsage) -> UsageSample:
    services = {"store": ServiceUsage(cores, 200_000_000, 2048.0, 0), **others}
    return UsageSample(AT + timedelta(minutes=minutes), 10**10, 10**8, services)


def test_samples_come_back_and_a_damaged_line_is_left_out(home: Paths) -> None:
    for minutes in (0, 1, 24 * 60):
        append_sample(home, sample(minutes))
    file = next(iter(sorted(home.usage.iterdir())))
    file.write_text(
        file.read_text() + '{"at": "x"}\n{"services": 3}\nnonsense\n[1]\n{"at": 1e99}\n'
    )
    found = list(read_samples(home, AT, AT + timedelta(days=2)))
    assert [s.at for s in found] == [AT, AT + timedelta(minutes=1), AT + timedelta(days=1)]
    assert found[0] == sample(0)
    assert known_span(home) == (AT, AT + timedelta(days=1))
    assert file.stat().st_mode & 0o777 == 0o600


def test_old_days_are_forgotten(home: Paths) -> None:
    append_sample(home, sample(0))
    append_sample(home, sample((KEPT_DAYS + 1) * 24 * 60))
    assert len(list(home.usage.iterdir())) == 1


def test_a_sample_says_how_much_room_the_disk_has(home: Paths) -> None:
    home.store_file.write_bytes(b"x" * 5000)
    taken = take_sample(home, AT, {})
    assert taken.store == 5000 and taken.free > 0


def charts(home: Paths) -> ChartReader:
    def session() -> Session:
        raise StoreUnavailable("the store is down")

    return ChartReader(home, session, lambda: [])


def read(home: Paths, key: str, points: int = 60) -> Chart:
    return charts(home).read("p", key, points, None, None)


def test_the_machines_charts_need_no_store(home: Paths) -> None:
    for minutes in range(30):
        loud = ServiceUsage(0.9, 10**6, 1.0, minutes // 10)
        append_sample(home, sample(minutes, ingestor=loud))
    cpu = read(home, "cpu")
    assert [series.name for series in cpu.series] == ["ingestor", "store"]
    assert cpu.markers == () and cpu.last_at == AT + timedelta(minutes=29)
    assert max(filter(None, read(home, "restarts").series[0].values)) == 2
    assert read(home, "disk").series[0].values[0] == 10**10
    assert read(home, "memory").series[0].unit == "bytes"


def test_few_points_are_means_over_longer_steps(home: Paths) -> None:
    for minutes in range(30):
        append_sample(home, sample(minutes, cores=float(minutes % 2)))
    known = read(home, "cpu", points=2)
    assert known.step_seconds == 900
    assert len(known.series[0].values) <= 3
    assert all(value == pytest.approx(0.5, abs=0.05) for value in known.series[0].values)


def test_before_the_first_minute_there_is_nothing_to_draw(home: Paths) -> None:
    known = read(home, "cpu")
    assert known.series == () and known.last_at is None


async def test_the_supervisor_samples_its_services(home: Paths) -> None:
    async with running(home, service("one")) as watch:
        await watch.all_ready()
        task = asyncio.create_task(runtime.sample_usage(home, watch.supervisor, 0.05))
        try:
            await eventually(lambda: known_span(home) is not None)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    known = known_span(home)
    assert known is not None
    first = next(read_samples(home, known[0], known[1]))
    assert {"one", SUPERVISOR} <= set(first.services)
