"""Odd input of every kind, in one table each: no traceback, no unexpected error, the right exit code.

`pytest -m long tests/fuzz` prints how many of each were tried.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from appliance import clock
from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.domain.workflow import WorkflowKind
from store.candles import store_candles
from store.open import open_store
from tests.control_bench import PROJECT, running_bench
from tests.fuzz.command_lines import (
    CommandLine,
    Outcome,
    command_lines,
    execute,
    lines_of_a_running_home,
)
from tests.fuzz.configurations import configurations
from tests.fuzz.http_requests import FRAMES, RawRequest, http_requests
from tests.fuzz.socket_requests import socket_requests
from tests.simulator_fixtures import running_simulator
from tests.store_process import raw_candle, running_service
from tests.stubs.airflow import AirflowStub

pytestmark = pytest.mark.long

NOBODY = '[source]\nkind = "upbit"\nrest_url = "http://127.0.0.1:9"\nwebsocket_url = "ws://127.0.0.1:9"\n'
ALLOWED = {200, 400, 404, 405, 414}


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Iterator[Counter[str]]:
    """Counts that are printed at the end."""
    counts: Counter[str] = Counter()
    yield counts
    with capsys.disabled():
        sys.stdout.write(f"\n{', '.join(f'{name}: {n}' for name, n in sorted(counts.items()))}\n")


@pytest.fixture(params=["bare", "stored"])
def quiet_home(request: pytest.FixtureRequest, home: Paths) -> Paths:
    """A home in which nothing runs and whose exchange does not answer, with and without candles."""
    (home.compose / "appliance.toml").write_text(NOBODY)
    if request.param == "stored":
        with open_store(home) as store:
            store_candles(store, [raw_candle(minute) for minute in range(60)], "upbit", clock.now())
    return home


def test_command_lines(quiet_home: Paths, tell: Counter[str]) -> None:
    before = sources()
    lines = command_lines()
    faulty = list(tried(lines, tell))
    assert not faulty, "\n".join(map(repr, faulty))
    assert sources() == before
    assert len(lines) >= 419


def test_command_lines_as_processes(home: Paths, tell: Counter[str]) -> None:
    """The same through a real process, for a sample: what an operating system passes has no NUL."""
    (home.compose / "appliance.toml").write_text(NOBODY)
    faulty = []
    for line in command_lines()[::40]:
        if any("\0" in word for word in line.words):
            continue
        done = subprocess.run(
            [sys.executable, "-m", "appliance", *map(os.fsencode, line.words)],
            cwd=SOURCE_ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=120,
        )
        texts = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
        tell[f"process, exit {done.returncode}"] += 1
        faulty += [(line, fault) for fault in Outcome(done.returncode, *texts).faults(line)]
    assert not faulty, "\n".join(map(repr, faulty))


def test_command_lines_of_a_running_home(home: Paths, tell: Counter[str]) -> None:
    with running_simulator() as url:
        (home.compose / "appliance.toml").write_text(NOBODY.replace("http://127.0.0.1:9", url))
        with running_service(home) as (_, session):
            store_candles(session, [raw_candle(m) for m in range(60)], "upbit", clock.now())
            assert list(tried(lines_of_a_running_home(), tell)) == []


def tried(lines: list[CommandLine], tell: Counter[str]) -> Iterator[tuple[CommandLine, str, str]]:
    """Run command lines and yield what is wrong with each."""
    for line in lines:
        outcome = execute(line)
        tell[f"exit {outcome.code}"] += 1
        for fault in outcome.faults(line):
            yield line, fault, (outcome.out + outcome.err)[-300:]
    tell["command lines"] += len(lines)


def sources() -> set[Path]:
    """Return the files that a project consists of: no command line may have made one."""
    folders = ("appliance/pipelines", "dags", "compose", "tests")
    return {path for folder in folders for path in (SOURCE_ROOT / folder).rglob("*.[pt]*")}


def test_configurations(home: Paths, monkeypatch: pytest.MonkeyPatch, tell: Counter[str]) -> None:
    faulty = []
    tables = configurations()
    for configuration in tables:
        shutil.rmtree(home.compose)
        home.compose.mkdir()
        configuration.write(home)
        with monkeypatch.context() as patch:
            for name, value in configuration.variables.items():
                patch.setenv(name, value)
            outcome = execute(CommandLine(("config", "check")))
        tell["valid" if outcome.code == 0 else "refused"] += 1
        wanted = 2 if configuration.key else 0
        faults = outcome.faults(CommandLine((), wanted))
        text = outcome.out + outcome.err
        words = [configuration.key, *configuration.told] if wanted else ["is valid"]
        faults += [f"does not say {word!r}" for word in words if word not in text]
        faulty += [(configuration, fault, text[-300:]) for fault in faults]
    tell["configurations"] = len(tables)
    assert not faulty, "\n".join(map(repr, faulty))
    assert len(tables) >= 271


def test_http_requests(tell: Counter[str]) -> None:
    faulty = []
    requests = http_requests()
    with running_simulator() as url, httpx.Client(base_url=url) as client:
        reference = answers(client)
        for request in requests:
            before = state(client)
            status, body, kind = request.send(url)
            tell[f"status {status}"] += 1
            faults = list(answer_faults(request, status, body, kind))
            if status >= 400 and state(client) != before:
                faults.append("it was refused and changed the state")
            faulty += [(str(request), fault, body[:200]) for fault in faults]
        assert answers(client) == reference
    tell["http requests"] = len(requests)
    assert not faulty, "\n".join(map(repr, faulty))
    assert len(requests) >= 262


def answer_faults(request: RawRequest, status: int, body: bytes, kind: str) -> Iterator[str]:
    """Yield what is wrong with an answer."""
    if status not in ALLOWED:
        yield f"status {status}"
    if body == b"Invalid HTTP request received.":
        return  # not HTTP: the server has no request to answer
    if status >= 400:
        error = json.loads(body)["error"]
        if not error["message"] or not isinstance(error["name"], int | str):
            yield "no error of Upbit's form"
    elif "json" in kind and body and not body.startswith(b"\x1f\x8b"):
        json.loads(body)


def answers(client: httpx.Client) -> list[object]:
    """Return answers about the past, which nothing may change."""
    past = {"market": "KRW-BTC", "to": "2026-01-05T11:00:00Z", "count": 50}
    paths = ("/v1/candles/minutes/1", "/v1/candles/minutes/60")
    return [client.get(path, params=past).json() for path in paths]


def state(client: httpx.Client) -> tuple[object, int]:
    """Return what control requests change: the shifts, and how many faults there are or were."""
    described = client.get("/sim").json()
    faults = described["faults"]
    return described["shifts"], len(faults["coming"]) + sum(faults["started"].values())


def add_dags(airflow: AirflowStub) -> None:
    for kind in WorkflowKind:
        airflow.add_dag(f"{PROJECT}_{kind}_wf")


def test_control_requests(home: Paths, tell: Counter[str]) -> None:
    faulty = []
    requests = socket_requests()
    with running_bench(home, lambda _store, airflow: add_dags(airflow)):
        for request in requests:
            status, body, _ = request.send(home.control_socket)
            tell[f"status {status}"] += 1
            is_told = status == 405 or status < 400 or json.loads(body)["message"]
            if status not in ALLOWED or not is_told:
                faulty.append((str(request)[:200], status, body[:200]))
    tell["control requests"] = len(requests)
    assert not faulty, "\n".join(map(repr, faulty))


def test_socket_messages(tell: Counter[str]) -> None:
    with running_simulator() as url:
        for frame in FRAMES:
            with connect(f"ws{url.removeprefix('http')}/websocket/v1") as socket:
                socket.send(frame)
                try:
                    answer = json.loads(socket.recv(timeout=1.5))
                except TimeoutError:
                    tell["silent"] += 1  # as Upbit is about codes that it does not know
                except ConnectionClosed as closed:
                    pytest.fail(f"{frame[:80]}: {closed}")
                else:
                    tell["answered"] += 1
                    assert "error" not in answer or answer["error"]["name"], frame[:80]
        with httpx.Client(base_url=url) as client:
            assert answers(client)
    tell["socket messages"] = len(FRAMES)
