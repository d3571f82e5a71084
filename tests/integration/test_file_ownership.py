"""One process owns a DuckDB file, and while a supervisor lives it is the file's own service."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from mlflow.exceptions import MlflowException

from appliance.config.file_holder import file_holders
from appliance.config.instance_lock import InstanceLock
from appliance.config.last_status import write_last_status
from appliance.config.ownership import SERVICE_VARIABLE
from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.domain.event import EventKind
from appliance.domain.service import ServiceState
from appliance.errors import StoreUnavailable
from appliance.supervisor.services import store_spec
from store import Session, open_store
from store.client import FlightSession
from store.database import Database
from store.lock import StoreLock, lock_file
from store.mlflow_backend.instance import Instance
from tests.supervised import running
from tests.waiting import wait_until

HOLD = """
import sys, time
from appliance.config.paths import Paths
from store.lock import StoreLock
lock = StoreLock.acquire(Paths.from_environment().store_file)
print(lock is not None, flush=True)
sys.stdin.read()
"""


@contextmanager
def holding(home: Paths, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has taken the store file's lock, until it is ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        cwd=SOURCE_ROOT,
        env={**os.environ, "APPLIANCE_HOME": str(home.home), **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "True"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_lock_has_a_holder_by_pid_program_and_user(home: Paths) -> None:
    with holding(home) as process:
        (holder,) = file_holders(lock_file(home.store_file), home.store_file)
        assert holder.pid == process.pid
        assert str(holder).startswith(f"process {process.pid} (python")
        assert "user " in str(holder)
    assert file_holders(lock_file(home.store_file)) == []
    assert file_holders(home.store_file) == []


def test_under_a_living_supervisor_the_file_is_left_to_the_service(home: Paths) -> None:
    status = {"services": [{"name": "store", "observed": "backing-off", "reason": "killed"}]}
    write_last_status(home, json.dumps(status).encode())
    with InstanceLock(home), pytest.raises(StoreUnavailable) as caught:
        open_store(home, wait_seconds=0.2)
    assert "waited 0.2 s for the store's service (backing-off: killed)" in caught.value.message
    assert not home.store_file.exists()


def test_what_a_supervisor_has_started_leaves_the_file_when_the_supervisor_is_dead(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SERVICE_VARIABLE, "airflow-scheduler")
    with pytest.raises(StoreUnavailable):
        open_store(home, wait_seconds=0.1)
    assert not home.store_file.exists()


def test_a_supervisor_that_comes_before_the_lock_is_taken_gets_the_file(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [True, False]
    monkeypatch.setattr("store.open.may_open_files_of", lambda *_: answers and answers.pop(0))
    with pytest.raises(StoreUnavailable):
        open_store(home, wait_seconds=0.0)
    lock = StoreLock.acquire(home.store_file)
    assert lock is not None
    lock.release()


async def test_a_strangers_lock_is_named_and_waited_for_at_no_cost(home: Paths) -> None:
    with holding(home) as stranger:
        async with running(home, store_spec(home)) as watch:
            await watch.until(lambda: f"process {stranger.pid}" in watch.of("store").reason)
            assert watch.of("store").observed is ServiceState.WAITING
            assert stranger.poll() is None
            stranger.terminate()
            stranger.wait(10)
            await watch.all_ready()
            assert watch.of("store").restarts == 0


async def test_a_lock_of_what_this_home_has_left_over_is_resolved(home: Paths) -> None:
    with holding(home, **{SERVICE_VARIABLE: "forecaster"}) as leftover:
        async with running(home, store_spec(home)) as watch:
            await watch.all_ready()
        assert leftover.wait(5) == -signal.SIGTERM
    told = [e.summary for e in watch.events if e.kind is EventKind.SERVICE_STATE]
    assert any(f"process {leftover.pid}" in text and "it is ended" in text for text in told)


async def test_after_a_frozen_store_its_clients_find_the_service_again(home: Paths) -> None:
    opened: list[Session] = []
    with InstanceLock(home):
        async with running(home, store_spec(home)) as watch:
            await watch.all_ready()
            pid = watch.of("store").pid
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
            await watch.until(lambda: not watch.of("store").is_ready, 15)
            client = threading.Thread(
                target=lambda: opened.append(open_store(home, wait_seconds=40))
            )
            client.start()
            await watch.until(lambda: watch.of("store").is_ready, 45)
            await watch.until(lambda: not client.is_alive() or watch.of("store").is_ready, 10)
            wait_until(lambda: opened, 10)
            assert isinstance(opened[0], FlightSession)
            opened[0].close()
            assert watch.of("store").pid not in {None, pid}


def test_with_no_supervisor_the_file_is_opened(home: Paths) -> None:
    with open_store(home) as session:
        assert isinstance(session, Database)


def test_the_registrys_file_is_its_services_alone(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = Instance(home.mlflow_database)
    with InstanceLock(home):
        with pytest.raises(MlflowException, match="belongs to the MLflow service"):
            instance.connect()
        monkeypatch.setenv(SERVICE_VARIABLE, "mlflow")
        instance.connect().close()
    assert instance.close()
