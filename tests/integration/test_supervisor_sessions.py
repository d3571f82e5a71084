"""A session is stopped as a whole, whatever its processes do to escape."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.supervisor.procfs import read_process, session_members
from appliance.supervisor.sessions import (
    SessionRecord,
    read_records,
    stop_session,
    stop_sessions,
    write_records,
)
from tests.waiting import wait_until

FAMILY = """
import os, signal, sys, time
def child(prepare):
    if os.fork() == 0:
        prepare()
        while True: time.sleep(60)
child(lambda: os.setpgid(0, 0))
child(lambda: (os.setpgid(0, 0), signal.signal(signal.SIGTERM, signal.SIG_IGN)))
child(os.setsid)
{leader}
print("ready", flush=True)
while True: time.sleep(60)
"""
IGNORE = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"


class Family:
    """A session leader with three children that leave its process group."""

    def __init__(self, leader: str = "") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", FAMILY.format(leader=leader)],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"
        wait_until(lambda: len(session_members(self.process.pid)) == 4)
        self.pids = [entry.pid for entry in session_members(self.process.pid)]
        entry = read_process(self.process.pid)
        assert entry is not None
        self.record = SessionRecord(
            "family", entry.pid, entry.started, int(signal.SIGTERM), grace=1.0
        )

    def alive(self) -> list[int]:
        entries = [read_process(pid) for pid in self.pids]
        return [entry.pid for entry in entries if entry is not None and not entry.is_zombie]

    def end(self) -> None:
        for pid in self.alive():
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def family() -> Iterator[Family]:
    made = Family()
    yield made
    made.end()


@pytest.fixture
def stubborn_family() -> Iterator[Family]:
    made = Family(IGNORE)
    yield made
    made.end()


def test_stop_waits_until_the_session_is_empty(family: Family) -> None:
    assert stop_session(family.record, 0.5)
    assert family.record.members() == []
    assert set(family.alive()) <= {family.pids[-1]}


def test_what_ignores_sigterm_is_killed_at_the_end_of_the_grace(stubborn_family: Family) -> None:
    assert stop_session(stubborn_family.record, 0.3)
    wait_until(lambda: stubborn_family.alive() == [], message="every process has ended")


def test_no_grace_kills_at_once_and_reaches_children_with_a_session_of_their_own(
    stubborn_family: Family,
) -> None:
    assert stop_session(stubborn_family.record, 0.0)
    wait_until(lambda: stubborn_family.alive() == [], message="every process has ended")


def test_what_a_killed_leader_leaves_is_found_and_ended(family: Family) -> None:
    family.process.kill()
    family.process.wait()
    assert len(family.record.members()) == 2
    assert stop_session(family.record, 5.0)
    assert family.record.members() == []


def test_a_reused_pid_is_left_alone(family: Family) -> None:
    record = family.record
    stranger = SessionRecord("old", record.leader, record.started - 1, int(signal.SIGTERM), 1.0)
    assert stranger.members() == []
    assert stop_sessions([stranger], 0.0) == []
    assert len(family.alive()) == 4


def test_records_survive_a_round_trip_and_belong_to_one_supervisor(tmp_path: Path) -> None:
    path = str(tmp_path / "sessions.json")
    write_records(path, 42, [SessionRecord("store", 7, 99, 15, 10.0)])
    (record,) = read_records(path)
    assert (record.name, record.leader, record.started, record.grace) == ("store", 7, 99, 10.0)
    assert len(read_records(path, supervisor=42)) == 1
    assert read_records(path, supervisor=43) == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"boot_id": "another", "sessions": []}'])
def test_a_damaged_or_old_record_counts_as_empty(tmp_path: Path, content: str) -> None:
    path = tmp_path / "sessions.json"
    path.write_text(content)
    assert read_records(str(path)) == []
    assert read_records(str(tmp_path / "missing.json")) == []
