"""What a run logs - metrics, params, tags - in set-based SQL on one DuckDB connection.

A statement costs DuckDB about as much for a thousand rows as for one, so everything of a kind goes in one
statement. All functions work inside the caller's transaction. The rules are those of MLflow's SQL store.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

Connection = duckdb.DuckDBPyConnection
_METRIC = {
    "key": "VARCHAR",
    "value": "DOUBLE",
    "timestamp": "BIGINT",
    "step": "BIGINT",
    "is_nan": "BOOLEAN",
}
_PAIR = {"key": "VARCHAR", "value": "VARCHAR"}


@dataclass(frozen=True, slots=True)
class Point:
    """One metric row of a run."""

    step: int
    timestamp: int
    value: float
    key: str
    is_nan: bool

    @property
    def age(self) -> tuple[int, int, float]:
        """What MLflow compares to find the latest value of a key."""
        return (self.step, self.timestamp, self.value)

    @property
    def row(self) -> tuple[str, float, int, int, bool]:
        """The values in the order of `_METRIC`."""
        return (self.key, self.value, self.timestamp, self.step, self.is_nan)


def check_active(connection: Connection, run_id: str) -> str:
    """Return a run's experiment.

    Raises:
        MlflowException: the run does not exist or is deleted.
    """
    query = "SELECT lifecycle_stage, experiment_id FROM runs WHERE run_uuid = ?"
    row = connection.execute(query, [run_id]).fetchone()
    if row is None:
        raise MlflowException(f"Run with id={run_id} not found", RESOURCE_DOES_NOT_EXIST)
    if row[0] != "active":
        raise MlflowException(
            f"The run {run_id} must be in the 'active' state. Current state is {row[0]}.",
            INVALID_PARAMETER_VALUE,
        )
    return str(row[1])


def add_metrics(
    connection: Connection, run_id: str, points: Sequence[Point], *, some_exist: bool
) -> None:
    """Store a run's points, none of them twice, and each key's latest.

    Args:
        connection: inside a transaction.
        run_id: an active run.
        points: without repetition.
        some_exist: look for points that are stored already; it makes the statement some times slower.

    Raises:
        duckdb.ConstraintException: a point exists and `some_exist` was not set.
    """
    if not points:
        return
    rows, values = _rows(_METRIC, [point.row for point in points])
    connection.execute(
        "INSERT INTO metrics (run_uuid, key, value, timestamp, step, is_nan) "
        f"SELECT ?, * FROM ({rows}) {'ON CONFLICT DO NOTHING' if some_exist else ''}",
        [run_id, *values],
    )
    newest: dict[str, Point] = {}
    for point in points:
        if point.key not in newest or point.age > newest[point.key].age:
            newest[point.key] = point
    _set_latest(connection, run_id, newest)


def _set_latest(connection: Connection, run_id: str, newest: dict[str, Point]) -> None:
    query = "SELECT key, step, timestamp, value FROM latest_metrics WHERE run_uuid = ? AND key IN ?"
    found = connection.execute(query, [run_id, list(newest)]).fetchall()
    stored = {key: (step, timestamp, value) for key, step, timestamp, value in found}
    fresh = [point for key, point in newest.items() if key not in stored]
    newer = [point for key, point in newest.items() if key in stored and point.age > stored[key]]
    if fresh:
        rows, values = _rows(_METRIC, [p.row for p in fresh])
        connection.execute(
            "INSERT INTO latest_metrics (run_uuid, key, value, timestamp, step, is_nan) "
            f"SELECT ?, * FROM ({rows})",
            [run_id, *values],
        )
    if newer:
        rows, values = _rows(_METRIC, [p.row for p in newer])
        connection.execute(
            "UPDATE latest_metrics SET value = new.value, timestamp = new.timestamp, "
            f"step = new.step, is_nan = new.is_nan FROM ({rows}) AS new "
            "WHERE latest_metrics.key = new.key AND run_uuid = ?",
            [*values, run_id],
        )


def add_params(connection: Connection, run_id: str, params: Sequence[Param]) -> None:
    """Store a run's params; one that is stored with the same value stays.

    Raises:
        MlflowException: a param is stored with another value.
    """
    if not params:
        return
    stored = _stored(connection, "params", run_id, [param.key for param in params])
    changed = [
        {"key": p.key, "old_value": stored[p.key], "new_value": p.value}
        for p in params
        if p.key in stored and stored[p.key] != p.value
    ]
    if changed:
        raise MlflowException(
            "Changing param values is not allowed. Params were already"
            f" logged='{changed}' for run ID='{run_id}'.",
            INVALID_PARAMETER_VALUE,
        )
    _insert_pairs(
        connection, "params", run_id, ((p.key, p.value) for p in params if p.key not in stored)
    )


def set_tags(connection: Connection, run_id: str, tags: Iterable[RunTag]) -> None:
    """Set a run's tags, the last of a key winning; the tag of the run's name renames the run."""
    pairs = {tag.key: tag.value for tag in tags if tag.key != MLFLOW_RUN_NAME or tag.value}
    if not pairs:
        return
    if MLFLOW_RUN_NAME in pairs:
        query = "UPDATE runs SET name = ? WHERE run_uuid = ?"
        connection.execute(query, [pairs[MLFLOW_RUN_NAME], run_id])
    stored = _stored(connection, "tags", run_id, list(pairs))
    fresh = ((key, value) for key, value in pairs.items() if key not in stored)
    _insert_pairs(connection, "tags", run_id, fresh)
    changed = [(k, v) for k, v in pairs.items() if k in stored and stored[k] != v]
    if changed:
        rows, values = _rows(_PAIR, changed)
        connection.execute(
            f"UPDATE tags SET value = new.value FROM ({rows}) AS new "
            "WHERE tags.key = new.key AND run_uuid = ?",
            [*values, run_id],
        )


def points_of(metrics: Iterable[Metric], sanitize: Any) -> list[Point]:
    """Return the rows of metrics, each once.

    Args:
        metrics: validated.
        sanitize: MLflow's rule for NaN and infinities: value -> (is NaN, finite value).
    """
    rows = (
        Point(m.step, m.timestamp, value, m.key, is_nan)
        for m in metrics
        for is_nan, value in [sanitize(m.value)]
    )
    return list(dict.fromkeys(rows))


def _stored(connection: Connection, table: str, run_id: str, keys: list[str]) -> dict[str, str]:
    query = f"SELECT key, value FROM {table} WHERE run_uuid = ? AND key IN ?"
    return dict(connection.execute(query, [run_id, keys]).fetchall())


def _insert_pairs(
    connection: Connection, table: str, run_id: str, pairs: Iterable[tuple[str, str]]
) -> None:
    rows = list(pairs)
    if rows:
        source, values = _rows(_PAIR, rows)
        connection.execute(
            f"INSERT INTO {table} (run_uuid, key, value) SELECT ?, * FROM ({source})",
            [run_id, *values],
        )


def _rows(columns: dict[str, str], rows: Sequence[tuple[Any, ...]]) -> tuple[str, list[Any]]:
    """Return a SELECT that yields rows, and its parameters: a list per column, or one row's values."""
    if len(rows) == 1:
        fields = (f"?::{kind} AS {name}" for name, kind in columns.items())
        return f"SELECT {', '.join(fields)}", list(rows[0])
    fields = (f"unnest(?::{kind}[]) AS {name}" for name, kind in columns.items())
    return f"SELECT {', '.join(fields)}", [list(column) for column in zip(*rows, strict=True)]
