"""A disk that really fills up, in every phase; the store goes on by itself when space returns."""

from __future__ import annotations

import subprocess
import sys

import pytest

from appliance.config.paths import SOURCE_ROOT, Paths

_PROGRAM = """
import os, sys
from pathlib import Path
from appliance.config.paths import Paths
from appliance.errors import StoreError
import store.database
from store import Statement, open_store
folder, phase = Path(sys.argv[1]), sys.argv[2]
# The refusal in time is put out of the way: here the disk fills between it and the write.
store.database._SPARE_BYTES = -(1 << 40)
paths = Paths(folder / "home")
paths.create()
insert = Statement("INSERT INTO events (occurred_at, kind, severity, project, actor, summary, details)"
    " SELECT now(), 'k', 'info', 'p', 'a', repeat(md5(random()::VARCHAR), 9), '{}' FROM range(500)")
huge = ("SELECT count(*) FROM (SELECT repeat('x', 100) || a.range || b.range AS s"
    " FROM range(200000) a, range(20) b ORDER BY s LIMIT 3900000 OFFSET 100)")
ballast = folder / "ballast"

def fill(leave):
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    ballast.write_bytes(b"x" * (free - leave))

def count(session):
    return session.read("SELECT count(*) AS n FROM events").column("n")[0].as_py()

def write(session):
    session.write(insert)
    global acknowledged
    acknowledged += 500

acknowledged = 0
with open_store(paths) as session:
    for _ in range(20):
        write(session)
    broken = False
    try:
        if phase == "log":
            fill(100 * 1024)
            while True:
                write(session)
        elif phase == "checkpoint":
            fill(20 * 1024)
            assert not session.checkpoint()
            broken = session.is_broken
        else:
            fill(1024 * 1024)
            session.read(huge)
            sys.exit("the disk was not full")
    except StoreError as error:
        assert error.code in ("store.disk_full", "store.out_of_memory"), (error.code, error)
        assert "space" in error.hint, error.hint
    stored = count(session)
    assert stored in (acknowledged, acknowledged + 500), (stored, acknowledged)
    ballast.unlink()
    acknowledged = stored
    write(session)
    assert session.checkpoint()
    assert count(session) == acknowledged
    print("broken" if broken else "whole")
with open_store(paths) as session:
    assert count(session) == acknowledged
"""


@pytest.mark.parametrize("phase", ["log", "checkpoint", "spill"])
def test_a_full_disk_is_survived_without_a_restart(home: Paths, phase: str) -> None:
    mount = f"mount -t tmpfs -o size=80M none {home.home} && exec"
    if subprocess.run(["unshare", "-rm", "sh", "-c", f"{mount} true"], check=False).returncode:
        pytest.skip("this machine lets no test mount a small disk")
    program = [sys.executable, "-c", _PROGRAM, str(home.home), phase]
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f'{mount} "$@"', "sh", *program],
        cwd=SOURCE_ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    if phase == "checkpoint":
        assert done.stdout.strip() == "broken"
