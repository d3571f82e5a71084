"""What a stock MLflow client waits for on DuckDB beside SQLite, in one run on one machine.

    .venv/bin/python -m scripts.bench.mlflow_backends [--rounds 30] [--runs 200] [--only WORD]

Starts the appliance's MLflow server twice, on DuckDB and on SQLite, fills both with the same runs, and calls
each operation on the two in turn. Prints p50 and p95 in milliseconds and the ratio of the medians DuckDB /
SQLite (below 1: DuckDB is faster).
"""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from sklearn.linear_model import LinearRegression

from appliance.config.paths import Paths
from appliance.config.secret import Secret, write_secret
from appliance.config.settings import MlflowSettings, Settings
from appliance.registry.credentials import USER
from tests.mlflow_process import running_mlflow

Operation = Callable[["Bench", int], Any]
ENGINES = {"duckdb": "", "sqlite": "sqlite"}


class Bench:
    """A stock client of one server, and what its operations work on."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = MlflowClient(url, url)
        self.experiment = self.client.create_experiment("bench")
        self.run = self.new_run()
        self.history = self.new_run()
        self.model = f"model-{uuid.uuid4().hex}"
        self.client.create_registered_model(self.model)

    def new_run(self, **tags: str) -> str:
        """Create a run and return its id."""
        run = self.client.create_run(self.experiment, tags=tags)
        return str(run.info.run_id)

    def fill(self, runs: int) -> None:
        """Log what searches find: runs with 20 metrics, 20 params and 10 tags, and a long history."""
        for number in range(runs):
            run = self.new_run(kind=str(number % 3))
            metrics = [Metric(f"m{i}", (number * 37 + i) % 101, number, 0) for i in range(20)]
            params = [Param(f"p{i}", str((number + i) % 7)) for i in range(20)]
            self.client.log_batch(run, metrics, params, [RunTag(f"t{i}", "x") for i in range(10)])
        for chunk in range(10):
            self.client.log_batch(self.history, batch("loss", chunk * 1000, 1000))


def batch(key: str, first: int, count: int) -> list[Metric]:
    """Return consecutive points of one metric."""
    return [Metric(key, 1 / (step + 1), step, step) for step in range(first, first + count)]


def batch_of_everything(bench: Bench, number: int) -> None:
    """Log 100 metrics, 50 params and 20 tags to a new run in one call."""
    run = bench.new_run()
    metrics = [Metric(f"m{i}", number, number, number) for i in range(100)]
    params = [Param(f"p{i}", "v" * 20) for i in range(50)]
    bench.client.log_batch(run, metrics, params, [RunTag(f"t{i}", "v") for i in range(20)])


def ten_thousand(bench: Bench, number: int) -> None:
    """Log 10,000 points in ten batches to a new run."""
    run = bench.new_run()
    for chunk in range(10):
        bench.client.log_batch(run, batch("loss", chunk * 1000, 1000))


def nested(bench: Bench, number: int) -> None:
    """Make a parent with three children, as fluent code does."""
    mlflow.set_tracking_uri(bench.url)
    with mlflow.start_run(experiment_id=bench.experiment):
        for child in range(3):
            with mlflow.start_run(experiment_id=bench.experiment, nested=True):
                mlflow.log_metric("m", child)


def autolog(bench: Bench, number: int) -> None:
    """Fit a scikit-learn model with autologging, without the model's files."""
    mlflow.set_tracking_uri(bench.url)
    mlflow.set_experiment(experiment_id=bench.experiment)
    mlflow.sklearn.autolog(log_models=False, silent=True)
    LinearRegression().fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
    mlflow.sklearn.autolog(disable=True, silent=True)


def version(bench: Bench, number: int) -> str:
    """Register a version of the run's model."""
    source = bench.client.get_run(bench.run).info.artifact_uri
    return str(bench.client.create_model_version(bench.model, source, bench.run).version)


def aliased(bench: Bench, number: int) -> None:
    """Move the champion and read it."""
    bench.client.set_registered_model_alias(bench.model, "champion", "1")
    bench.client.get_model_version_by_alias(bench.model, "champion")


def renamed(bench: Bench, number: int) -> None:
    """Rename the model with all its versions."""
    fresh = f"model-{uuid.uuid4().hex}"
    bench.client.rename_registered_model(bench.model, fresh)
    bench.model = fresh


def removed(bench: Bench, number: int) -> None:
    """Create a model and a version, and delete both."""
    name = f"gone-{uuid.uuid4().hex}"
    bench.client.create_registered_model(name, tags={"a": "b"})
    source = bench.client.get_run(bench.run).info.artifact_uri
    bench.client.create_model_version(name, source, bench.run, tags={"c": "d"})
    bench.client.delete_registered_model(name)


def deleted_and_restored(bench: Bench, number: int) -> None:
    """Delete a run and take it back."""
    bench.client.delete_run(bench.run)
    bench.client.restore_run(bench.run)


def searched(text: str, order: list[str]) -> Operation:
    """Return a search of runs."""
    return lambda bench, _: bench.client.search_runs([bench.experiment], text, order_by=order)


OPERATIONS: dict[str, Operation] = {
    "create_run": lambda b, _: b.new_run(kind="x"),
    "log_metric": lambda b, n: b.client.log_metric(b.run, "m", n, step=n),
    "log_param": lambda b, n: b.client.log_param(b.run, f"p{uuid.uuid4().hex}", n),
    "set_tag": lambda b, n: b.client.set_tag(b.run, "t", n),
    "log_batch of 1,000 metrics": lambda b, n: b.client.log_batch(b.run, batch(f"b{n}", 0, 1000)),
    "log_batch of everything": batch_of_everything,
    "10,000 metrics in 10 batches": ten_thousand,
    "nested runs": nested,
    "autolog a scikit-learn fit": autolog,
    "update_run": lambda b, _: b.client.set_terminated(b.run),
    "get_run": lambda b, _: b.client.get_run(b.run),
    "metric history, 10,000 points": lambda b, _: b.client.get_metric_history(b.history, "loss"),
    "search, newest 1,000 runs": searched("", []),
    "search, filter and order": searched(
        "metrics.m3 > 50 and params.p1 = '3' and tags.kind = '1'", ["metrics.m7 DESC"]
    ),
    "search, order by param": searched("attributes.status = 'RUNNING'", ["params.p2 ASC"]),
    "search_experiments": lambda b, _: b.client.search_experiments(),
    "delete and restore a run": deleted_and_restored,
    "create_model_version": version,
    "alias, read by alias": aliased,
    "tag a version": lambda b, n: b.client.set_model_version_tag(b.model, "1", "k", n),
    "search_model_versions": lambda b, _: b.client.search_model_versions(f"name='{b.model}'"),
    "get_registered_model": lambda b, _: b.client.get_registered_model(b.model),
    "rename a model of many versions": renamed,
    "create and delete a model": removed,
}
SLOW = {"10,000 metrics in 10 batches", "autolog a scikit-learn fit", "search, newest 1,000 runs"}


def main() -> None:
    """Start both servers, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--runs", type=int, default=200, help="runs that searches find")
    parser.add_argument("--only", default="", help="operations whose name has this word")
    arguments = parser.parse_args()
    # Written by MLflow at each end of a run, in the middle of the table.
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    # One client calls both servers, so both homes have its password.
    password = secrets.token_urlsafe()
    os.environ |= {"MLFLOW_TRACKING_USERNAME": USER, "MLFLOW_TRACKING_PASSWORD": password}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as servers:
        benches = {}
        for engine, database in ENGINES.items():
            paths = Paths(Path(folder) / engine)
            paths.create()
            write_secret(paths, Secret.MLFLOW_PASSWORD, password)
            settings = Settings(mlflow=MlflowSettings(database_url=database))
            benches[engine] = Bench(servers.enter_context(running_mlflow(paths, settings)))
        for bench in benches.values():
            bench.fill(arguments.runs)
        measure(benches, arguments.rounds, arguments.only)


def measure(benches: dict[str, Bench], rounds: int, only: str) -> None:
    """Call every operation on the engines in turn and print a line for each."""
    print(f"{'ms':34}{'DuckDB p50':>11}{'p95':>8}{'SQLite p50':>12}{'p95':>8}{'ratio':>8}")
    for name, operation in OPERATIONS.items():
        if only not in name:
            continue
        taken: dict[str, list[float]] = {engine: [] for engine in benches}
        for number in range(max(rounds // 5, 3) if name in SLOW else rounds):
            for engine, bench in benches.items():
                began = time.perf_counter()
                operation(bench, number)
                taken[engine].append((time.perf_counter() - began) * 1000)
        ours, theirs = (statistics.median(taken[engine]) for engine in ENGINES)
        print(
            f"{name:34}{ours:11.1f}{p95(taken['duckdb']):8.1f}"
            f"{theirs:12.1f}{p95(taken['sqlite']):8.1f}{ours / theirs:8.2f}",
            flush=True,
        )


def p95(values: list[float]) -> float:
    """Return the 95th percentile, nearest rank."""
    return sorted(values)[int(len(values) * 0.95) if len(values) > 1 else 0]


if __name__ == "__main__":
    main()
