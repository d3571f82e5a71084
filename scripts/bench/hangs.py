"""Each service frozen and killed, again and again, under ingestion and a running training.

`python scripts/bench/hangs.py --times 5`: a home of its own on the simulator, minute candles, a training
that is started anew whenever none runs. Prints how long each fault took to be noticed and mended, and
compares what is stored with the simulator's truth, the supervisor's log and the forecasts' keys.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from appliance.config.paths import Paths
from appliance.config.ports import service_url
from appliance.config.whoami import local_origin
from appliance.control.api import ApplianceStatus
from appliance.control.client import ControlClient
from appliance.domain.origin import Through
from appliance.domain.service import ServiceState
from appliance.domain.workflow import RunState, WorkflowKind
from appliance.errors import ApplianceError
from store.open import open_store
from tests.e2e.test_market_soak import check_market

SERVICES = (
    *("store", "postgres", "mlflow", "airflow-api-server", "airflow-scheduler"),
    *("airflow-dag-processor", "ingestor", "forecaster", "simulator"),
)
FAULTS = {"STOP": signal.SIGSTOP, "KILL": signal.SIGKILL}
PROJECT = "crypto_forecast"
READY_SECONDS = 240.0
LOOK_SECONDS = 0.1
COMPOSE = """
[source]
kind = "simulator"
[ingest]
timeframes = [1]
history_candles = 6000
[airflow]
port = 0
[mlflow]
port = 0
"""


@dataclass(slots=True)
class Figures:
    """Seconds of one service under one fault, and what else was lost on the way."""

    noticed: list[float] = field(default_factory=list)
    ready: list[float] = field(default_factory=list)
    lost: Counter[str] = field(default_factory=Counter)


class Bench:
    """One home under faults."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.control = ControlClient(paths)
        self.trainings = 0

    def status(self) -> ApplianceStatus | None:
        """Return the status, None while nobody answers."""
        try:
            return self.control.status()
        except ApplianceError:
            return None

    def wait_ready(self) -> None:
        """Wait until all services are ready."""
        deadline = time.monotonic() + READY_SECONDS
        while not ((now := self.status()) and all(s.is_ready for s in now.services)):
            if time.monotonic() > deadline:
                states = [(s.name, s.observed, s.reason) for s in now.services] if now else "silent"
                sys.exit(f"not ready within {READY_SECONDS:g} s: {states}")
            time.sleep(LOOK_SECONDS)

    def keep_training(self) -> None:
        """Start a training unless one is under way."""
        try:
            runs = self.control.dag_runs(PROJECT, WorkflowKind.TRAIN, 3)
            if all(run.state.is_finished for run in runs):
                self.control.run_workflow(
                    PROJECT, WorkflowKind.TRAIN, {}, local_origin(Through.COMMAND)
                )
                self.trainings += 1
        except ApplianceError as error:
            print(f"    no training: {error.message}", flush=True)

    def strike(self, name: str, fault: str, figures: Figures) -> None:
        """Freeze or kill one service and follow it until it serves again."""
        self.wait_ready()
        self.keep_training()
        status = self.status()
        pid = next(s.pid for s in status.services if s.name == name) if status else None
        if pid is None:
            sys.exit(f"{name} has no process")
        began, noticed, others = time.monotonic(), 0.0, set[str]()
        os.kill(pid, FAULTS[fault])
        while True:
            now = self.status()
            for service in now.services if now else ():
                if service.name != name and service.observed in _LOST:
                    others.add(service.name)
                if service.name == name and not service.is_ready and not noticed:
                    noticed = time.monotonic() - began
                if service.name == name and service.is_ready and service.pid not in {None, pid}:
                    figures.ready.append(time.monotonic() - began)
                    figures.noticed.append(noticed)
                    figures.lost.update(others)
                    return
            if time.monotonic() > began + READY_SECONDS:
                sys.exit(f"{name} is not ready {READY_SECONDS:g} s after SIG{fault}")
            time.sleep(LOOK_SECONDS)


_LOST = {ServiceState.BACKING_OFF, ServiceState.GIVEN_UP, ServiceState.STARTING}


@contextmanager
def running(paths: Paths) -> Iterator[Bench]:
    """Start an appliance and wait for its first champion."""
    environment = os.environ | {"APPLIANCE_HOME": str(paths.home)}
    appliance = (sys.executable, "-m", "appliance")
    subprocess.run([*appliance, "up", "--timeout", "300"], env=environment, check=True)
    try:
        bench = Bench(paths)
        while not ((now := bench.status()) and now.projects[0].champion):
            time.sleep(1)
        yield bench
    finally:
        subprocess.run([*appliance, "down"], env=environment, check=True)


def row(values: list[float]) -> str:
    """Return minimum, median and maximum."""
    middle = statistics.median(values)
    return f"{min(values):6.1f} {middle:6.1f} {max(values):6.1f}"


def check_candles(paths: Paths) -> str:
    """Compare stored candles with the exchange's truth; fails on the first difference."""
    with open_store(paths) as session:
        counted = check_market(session, service_url(paths, "simulator"), "KRW-BTC")
    return f"candles equal the truth: {dict(counted)}"


def check_forecasts(paths: Paths) -> str:
    """Each closed candle since the first live forecast has exactly one forecast of a version."""
    with open_store(paths) as session:
        doubled = session.read(
            "SELECT count(*) - count(DISTINCT (project, market, unit, candle_date_time_utc, horizon,"
            " model_version)) AS doubled, count(*) AS rows FROM forecasts"
        ).to_pylist()[0]
        missing = session.read(
            "WITH f AS (SELECT DISTINCT candle_date_time_utc AS opened_at FROM forecasts)"
            " SELECT c.candle_date_time_utc AS opened_at FROM candles c ANTI JOIN f"
            " ON c.candle_date_time_utc = f.opened_at WHERE c.unit = 1"
            " AND c.candle_date_time_utc BETWEEN (SELECT min(opened_at) FROM f)"
            " AND (SELECT max(opened_at) FROM f)"
        ).to_pylist()
    return f"{doubled['rows']} forecasts, {doubled['doubled']} doubled, {len(missing)} lost {missing[:5]}"


def check_events(paths: Paths) -> str:
    """What the supervisor's log tells is in the events, each as often."""
    line = re.compile(r" (?:INFO|WARNING|ERROR) appliance\.supervisor\.supervisor (.*)")
    log = (paths.logs / "supervisor.log").read_text(encoding="utf-8").splitlines()
    logged = Counter(found[1] for text in log if (found := line.search(text)))
    with open_store(paths) as session:
        rows = session.read(
            "SELECT summary FROM events WHERE kind IN ('service.state', 'service.given_up')"
        ).to_pylist()
        doubled = session.read(
            "SELECT count(*) - count(DISTINCT (occurred_at, kind, actor, summary)) AS n FROM events"
        ).to_pylist()[0]["n"]
    stored = Counter(str(row["summary"]) for row in rows)
    told = Counter(
        {text: count for text, count in logged.items() if text in stored or _is_event(text)}
    )
    lost, more = told - stored, stored - told
    return (
        f"{stored.total()} service events, {lost.total()} lost {list(lost)[:3]}, "
        f"{more.total()} more than logged {list(more)[:3]}; {doubled} events doubled"
    )


def _is_event(text: str) -> bool:
    return bool(re.match(rf"({'|'.join(SERVICES)}) ", text))


def main() -> None:
    """Run all faults and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--faults", nargs="+", default=list(FAULTS), choices=list(FAULTS))
    parser.add_argument("--services", nargs="+", default=list(SERVICES), choices=SERVICES)
    parser.add_argument("--home", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hangs-") as folder:
        paths = Paths((chosen.home or Path(folder)).absolute())
        paths.create()
        (paths.compose / "appliance.toml").write_text(COMPOSE, encoding="utf-8")
        (paths.compose / "projects").mkdir(exist_ok=True)
        project = paths.compose / "projects" / f"{PROJECT}.toml"
        project.write_text('config = "krw_btc_1m"\n', encoding="utf-8")
        with running(paths) as bench:
            _strike_all(bench, chosen)
            _check(bench)


def _strike_all(bench: Bench, chosen: argparse.Namespace) -> None:
    print(f"{'':30} {'noticed (s)':>20}   {'ready again (s)':>20}   lost on the way")
    for fault in chosen.faults:
        for name in chosen.services:
            figures = Figures()
            for _ in range(chosen.times):
                bench.strike(name, fault, figures)
            lost = ", ".join(f"{other} x{count}" for other, count in figures.lost.items()) or "-"
            print(
                f"SIG{fault} {name:22} {row(figures.noticed)}   {row(figures.ready)}   {lost}",
                flush=True,
            )


def _check(bench: Bench) -> None:
    bench.wait_ready()
    time.sleep(150)  # two candles: what was missed is stored, forecast and told by then
    bench.wait_ready()
    status = bench.status()
    given_up = (
        [s.name for s in status.services if s.observed is ServiceState.GIVEN_UP] if status else []
    )
    print(f"given up: {given_up or 'none'}; trainings started: {bench.trainings}")
    states = Counter(run.state for run in bench.control.dag_runs(PROJECT, WorkflowKind.TRAIN, 100))
    print(f"training runs: { {state.value: count for state, count in states.items()} }")
    assert RunState.UNKNOWN not in states
    for check in (check_candles, check_forecasts, check_events):
        print(check(bench.paths), flush=True)


if __name__ == "__main__":
    main()
