"""One lock in the home decides who supervises it, whatever the caller's environment."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from appliance.config.instance_lock import InstanceLock, holder_pid, is_supervised
from appliance.config.paths import Paths
from appliance.errors import ServiceError


@pytest.fixture
def deep_home(tmp_path: Path) -> Paths:
    paths = Paths(tmp_path.joinpath("deep" * 20, "er" * 50))
    paths.home.mkdir(parents=True)
    return paths


def test_the_lock_lies_in_the_home_whatever_the_temporary_directory(
    deep_home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    with InstanceLock(deep_home):
        for folder in ("/tmp", "/var/tmp", str(deep_home.home)):
            monkeypatch.setattr("tempfile.tempdir", folder)
            assert is_supervised(deep_home)
            assert holder_pid(deep_home) == os.getpid()
            with pytest.raises(ServiceError, match="runs already"), InstanceLock(deep_home):
                pass
    assert not is_supervised(deep_home)
    assert holder_pid(deep_home) is None


@pytest.mark.parametrize("index", [0, 1], ids=["run folder", "temporary directory"])
def test_a_supervisor_of_an_earlier_version_is_noticed(
    deep_home: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: int
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    former = deep_home.former_locks[index]
    former.parent.mkdir()
    with former.open("w") as held:
        held.write("4711\n")
        held.flush()
        assert not is_supervised(deep_home)
        fcntl.flock(held, fcntl.LOCK_EX)
        assert is_supervised(deep_home)
        assert holder_pid(deep_home) == 4711
        with pytest.raises(ServiceError, match="pid 4711"), InstanceLock(deep_home):
            pass
