"""Whatever is frozen, whoever looks gets an answer within five seconds, or hears what is awaited."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta

import pytest

from appliance.cli.exit_code import ExitCode
from appliance.cli.main import run
from appliance.config.instance_lock import InstanceLock
from appliance.config.last_status import write_last_status
from appliance.config.paths import Paths
from appliance.control.api import Control
from appliance.control.projects import Project
from appliance.control.snapshot import Facts, Identity, compose
from appliance.control.wire import encode_result
from appliance.domain.workflow import WorkflowStatus
from tests import builders
from tests.store_process import running_service

ANSWER_SECONDS = 5.0


def no_dashboard(control: Control) -> int:
    raise AssertionError("no dashboard was asked for")


@contextmanager
def timely() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < ANSWER_SECONDS


@pytest.fixture
def frozen_supervisor(home: Paths) -> Iterator[Paths]:
    """A home whose supervisor lives, accepts connections and never answers."""
    write_last_status(home, encode_result("status", builders.status()))
    with InstanceLock(home), closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(os.fspath(home.control_socket))
        listener.listen(8)
        yield home


def test_the_status_of_a_frozen_supervisor_is_what_it_wrote_down_last(
    frozen_supervisor: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    with timely():
        assert run(["status"], no_dashboard) == ExitCode.TRY_AGAIN
    told = capsys.readouterr()
    assert "airflow-scheduler" in told.out
    assert f"(pid {os.getpid()}) does not answer" in told.err
    assert "this was its status" in told.err


def test_the_last_status_is_json_on_request(
    frozen_supervisor: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["status", "--json"], no_dashboard) == ExitCode.TRY_AGAIN
    assert json.loads(capsys.readouterr().out)["services"]


@pytest.mark.parametrize(
    "command", [["models", "--project", "crypto_forecast"], ["run", "data", "--no-wait"]]
)
def test_what_only_the_supervisor_knows_is_refused_in_time(
    frozen_supervisor: Paths, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    with timely():
        assert run(command, no_dashboard) == ExitCode.TRY_AGAIN
    assert "does not answer" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["candles"], ["sql", "SELECT 1"], ["coverage"], ["events"], ["drift"]]
)
def test_a_frozen_store_is_named_in_time(
    home: Paths, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    with running_service(home) as (process, _), InstanceLock(home):
        write_last_status(home, encode_result("status", builders.status()))
        os.kill(process.pid, signal.SIGSTOP)
        try:
            with timely():
                assert run(command, no_dashboard) == ExitCode.TRY_AGAIN
        finally:
            os.kill(process.pid, signal.SIGCONT)
    assert "for the store's service (" in capsys.readouterr().err


def composed(**facts: object) -> tuple[WorkflowStatus, ...]:
    project = Project(builders.PROJECT)
    identity = Identity(
        "1", "/h", builders.NOW, builders.status().source, (("KRW-BTC", 1),), (project,)
    )
    status = compose(identity, Facts(**facts), builders.NOW)  # type: ignore[arg-type]
    return status.projects[0].workflows


def test_a_run_is_unknown_when_airflow_was_never_read_and_never_only_when_it_was() -> None:
    never = [WorkflowStatus(builders.PROJECT, each.kind) for each in builders.workflows()]
    assert not any(each.is_known for each in composed())
    assert all(each.is_known for each in composed(workflows=never))
    stale = {"workflows": "airflow-api-server is unhealthy"}
    assert not any(each.is_known for each in composed(workflows=never, stale=stale))
    ran = composed(workflows=builders.workflows(), stale=stale)
    assert [each.is_known for each in ran] == [each.last_run is not None for each in ran]


def test_counts_that_nobody_has_told_are_unknown() -> None:
    project = Project(builders.PROJECT)
    identity = Identity(
        "1", "/h", builders.NOW, builders.status().source, (("KRW-BTC", 1),), (project,)
    )
    status = compose(identity, Facts(), builders.NOW + timedelta(seconds=1))
    assert (status.markets[0].stored_candles, status.markets[0].gaps) == (None, None)
    unread = status.projects[0]
    assert (unread.forecast_count, unread.are_models_known, unread.are_rows_known) == (
        None,
        False,
        False,
    )
