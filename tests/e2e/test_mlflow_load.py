"""MLflow's server on DuckDB under many clients, and under kill -9: nothing acknowledged is lost.

CI runs a short form; the long one: `pytest -m long tests/e2e/test_mlflow_load.py --mlflow-seconds 60
--mlflow-kills 20`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from appliance.config.paths import Paths
from appliance.registry.credentials import HomeCredentials
from appliance.supervisor.restart_policy import RestartPolicy
from appliance.supervisor.spec import ServiceSpec
from appliance.supervisor.supervisor import Supervisor
from tests.mlflow_process import prepare, running_mlflow, server_spec
from tests.waiting import wait_until

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("_home_credentials")]

THREADS, PROCESSES, BATCH = 8, 4, 20
WITHOUT_PATIENCE = RestartPolicy(first_delay=0.05, longest_delay=0.05, budget=1000)
READY_SECONDS = 120.0

CLIENT = """
import json, sys
from tests.e2e.test_mlflow_load import Writer, mlflow_client
url, number, shared, own, seconds = sys.argv[1:]
print(json.dumps(Writer(mlflow_client(url), int(number), shared, own).write_for(float(seconds))))
"""


@pytest.fixture
def _home_credentials(home: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make MLflow's clients, in other processes too, use the home's credentials."""
    monkeypatch.setenv("MLFLOW_TRACKING_AUTH", "appliance")


def mlflow_client(url: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(url, url)


class Writer:
    """One client that logs single metrics and batches, tags and params, to a shared and to its own run."""

    def __init__(self, client: Any, number: int, shared: str, own: str) -> None:
        self._client = client
        self._number = number
        self._runs = (shared, own)

    def write_for(self, seconds: float) -> dict[str, Any]:
        """Log for a while; return the points acknowledged by run and what failed."""
        points: Counter[str] = Counter()
        errors: list[str] = []
        deadline, turn = time.monotonic() + seconds, 0
        while time.monotonic() < deadline:
            for run in self._runs:
                try:
                    points[run] += self._log(run, turn)
                except Exception as error:
                    errors.append(f"{type(error).__name__}: {error}")
            turn += 1
        return {"points": dict(points), "errors": errors, "turns": turn}

    def _log(self, run: str, turn: int) -> int:
        from mlflow.entities import Metric

        first = (self._number * 1_000_000 + turn) * (BATCH + 1)
        self._client.log_metric(run, "m", turn, first, first)
        steps = range(first + 1, first + 1 + BATCH)
        self._client.log_batch(run, [Metric("m", step, step, step) for step in steps])
        self._client.set_tag(run, "turn", turn)
        self._client.log_param(run, f"p{self._number}-{turn % 50}", turn % 50)
        return BATCH + 1


def stored(client: Any, run: str) -> int:
    return len(client.get_metric_history(run, "m"))


def test_threads_and_processes_log_without_an_error_and_counts_are_exact(
    home: Paths, request: pytest.FixtureRequest
) -> None:
    seconds = request.config.getoption("--mlflow-seconds")
    with running_mlflow(home) as url:
        client = mlflow_client(url)
        shared = client.create_run("0").info.run_id
        own = [client.create_run("0").info.run_id for _ in range(THREADS + PROCESSES)]
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", CLIENT, url, str(n), shared, own[n], str(seconds)],
                stdout=subprocess.PIPE,
                text=True,
            )
            for n in range(PROCESSES)
        ]
        results: list[dict[str, Any]] = []

        def write(number: int) -> None:
            writer = Writer(mlflow_client(url), number, shared, own[number])
            results.append(writer.write_for(seconds))

        threads = [
            threading.Thread(target=write, args=[PROCESSES + n], daemon=True)
            for n in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(seconds + 120)
        results += [
            json.loads(process.communicate(timeout=seconds + 240)[0]) for process in processes
        ]
        assert len(results) == THREADS + PROCESSES
        assert [error for result in results for error in result["errors"]] == []
        acknowledged: Counter[str] = Counter()
        for result in results:
            acknowledged.update(result["points"])
        assert all(result["turns"] > 0 for result in results)
        assert {run: stored(client, run) for run in [shared, *own]} == dict(acknowledged)


class Load:
    """Clients that log to runs of their own for as long as it takes, through every outage."""

    def __init__(self, home: Paths, url: str, clients: int) -> None:
        self.acknowledged: dict[str, list[int]] = {}
        self._url = url
        self._credentials = HomeCredentials(home)
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._write, daemon=True) for _ in range(clients)]

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        yield
        self._is_over.set()
        for thread in self._threads:
            thread.join(60)

    @property
    def count(self) -> int:
        return sum(len(steps) for steps in self.acknowledged.values())

    def wait_for(self, count: int) -> None:
        wait_until(lambda: self.count >= count, READY_SECONDS, f"{count} acknowledged batches")

    def _write(self) -> None:
        with httpx.Client(
            base_url=self._url, auth=self._credentials, timeout=10, trust_env=False
        ) as http:
            run = self._post(http, "runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
            steps = self.acknowledged[run] = []
            for step in itertools.count():
                if self._is_over.is_set():
                    return
                metrics = [
                    {"key": f"m{n}", "value": step, "timestamp": step, "step": step}
                    for n in range(5)
                ]
                try:
                    self._post(http, "runs/log-batch", {"run_id": run, "metrics": metrics})
                except httpx.HTTPError:
                    self._is_over.wait(0.05)
                else:
                    steps.append(step)

    def _post(self, http: httpx.Client, path: str, body: object) -> Any:
        response = http.post(f"/api/2.0/mlflow/{path}", json=body)
        response.raise_for_status()
        return response.json()


async def kill_under_load(home: Paths, spec: ServiceSpec, kills: int) -> dict[str, list[int]]:
    """Kill the supervised server again and again while clients log; return what was acknowledged."""
    supervisor = Supervisor(home, [spec])
    await supervisor.start()
    try:
        async with asyncio.timeout(READY_SECONDS):
            await supervisor.wait_for(lambda: supervisor.is_ready(spec.name))
        load = Load(home, f"http://{spec.endpoint}", clients=6)
        with load.running():
            for _ in range(kills):
                await asyncio.to_thread(load.wait_for, load.count + 60)
                (session,) = supervisor.sessions()
                os.kill(session.leader, signal.SIGKILL)
                async with asyncio.timeout(READY_SECONDS):
                    await supervisor.wait_for(lambda: not supervisor.is_ready(spec.name))
                    await supervisor.wait_for(lambda: supervisor.is_ready(spec.name))
    finally:
        await supervisor.stop()
    return load.acknowledged


def test_kill_9_under_load_loses_nothing_and_the_server_comes_back(
    home: Paths, request: pytest.FixtureRequest
) -> None:
    spec = replace(server_spec(home), restart=WITHOUT_PATIENCE)
    prepare(spec)
    kills = request.config.getoption("--mlflow-kills")
    acknowledged = asyncio.run(kill_under_load(home, spec, kills))
    assert sum(map(len, acknowledged.values())) >= 60 * kills
    with running_mlflow(home) as url:
        client = mlflow_client(url)
        for run, steps in acknowledged.items():
            kept = {metric.step for metric in client.get_metric_history(run, "m4")}
            assert set(steps) <= kept
            assert client.get_run(run).data.metrics["m0"] == max(kept)
