"""Copying MLflow's rows between a SQLite file and a DuckDB file, counted table by table.

Values are copied as stored, without MLflow's types: encrypted columns stay encrypted. The columns copied are
those of the SQLite file, which knows which of them are computed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from mlflow.exceptions import MlflowException

from store.mlflow_backend import schema
from store.mlflow_backend.dialect import is_numbered, sequence_name
from store.mlflow_backend.engine import Backend

Counts = dict[str, int]
_CHUNK = 20_000
STAMP = "alembic_version"
"""The table that holds the revision of the schema."""


def sqlite_to_duckdb(source: Path, target: Path) -> Counts:
    """Copy a SQLite file of the installed MLflow's schema into a new DuckDB file.

    Returns:
        The number of rows by table, the same in both files.

    Raises:
        MlflowException: the source is of another schema, the target exists, or a count differs; the
            target is then not there.
    """
    if not source.is_file():
        raise MlflowException.invalid_parameter_value(f"No SQLite file at {source}")
    if target.exists():
        raise MlflowException.invalid_parameter_value(
            f"{target} exists already: move it away, or name a new file"
        )
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    try:
        with closing(_reader(source)) as reader:
            reader.execute("BEGIN")
            _check_revision(reader, source)
            counts = _fill_duckdb(reader, partial)
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)
    return counts


def duckdb_to_sqlite(source: Path, target: Path) -> Counts:
    """Replace the rows of a SQLite file by those of a DuckDB file of the same schema.

    Returns:
        The number of rows by table, the same in both files.

    Raises:
        MlflowException: the schemas are of different revisions, or a count differs; the target is
            then unchanged.
    """
    with (
        closing(duckdb.connect(str(source), read_only=True)) as reader,
        closing(sqlite3.connect(target)) as writer,
        writer,
    ):
        revision = _revision(reader.execute(f"SELECT version_num FROM {STAMP}").fetchone())
        if _revision(writer.execute(f"SELECT version_num FROM {STAMP}").fetchone()) != revision:
            raise MlflowException.invalid_parameter_value(
                f"{target} is not of MLflow schema {revision}, which {source} has"
            )
        tables = _sqlite_tables(writer)
        for table in tables:
            writer.execute(f"DELETE FROM {table}")
            _fill_sqlite(reader, writer, table)
        counts = {table: _count(reader, table) for table in tables}
        _compare(counts, {table: _count(writer, table) for table in tables})
        return counts


def sqlite_revision(source: Path) -> str | None:
    """Return the revision of MLflow's schema in a SQLite file; None when the file is not stamped.

    Raises:
        MlflowException: the file is not MLflow's.
    """
    with closing(_reader(source)) as reader:
        return _stamp(reader, source)


def _reader(source: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)


def _stamp(reader: sqlite3.Connection, source: Path) -> str | None:
    try:
        return _revision(reader.execute(f"SELECT version_num FROM {STAMP}").fetchone())
    except sqlite3.Error as error:
        raise MlflowException.invalid_parameter_value(
            f"{source} is not an MLflow database: {error}"
        ) from error


def _check_revision(reader: sqlite3.Connection, source: Path) -> None:
    revision = _stamp(reader, source)
    if revision != schema.newest_revision():
        raise MlflowException.invalid_parameter_value(
            f"{source} has MLflow schema {revision}, the installed MLflow needs "
            f"{schema.newest_revision()}"
        )


def _revision(row: Any) -> str | None:
    return None if row is None else str(row[0])


def _fill_duckdb(reader: sqlite3.Connection, target: Path) -> Counts:
    backend = Backend(target)
    tables = [table.name for table in schema.metadata.sorted_tables]
    counts = {table: _count(reader, table) for table in tables}
    try:
        with backend.engine.begin() as connection:
            schema.create(connection, _next_numbers(reader))
            native = connection.connection.driver_connection.native  # type: ignore[union-attr]
            for table in tables:
                _append(native, table, _sqlite_columns(reader, table), reader)
            _compare(counts, {table: _count(native, table) for table in tables})
    finally:
        backend.instance.close()
    return counts


def _next_numbers(reader: sqlite3.Connection) -> dict[str, int]:
    columns = (
        c for table in schema.metadata.sorted_tables for c in table.columns if is_numbered(c)
    )
    newest = "SELECT coalesce(max({}), 0) + 1 FROM {}"
    return {
        sequence_name(c): int(reader.execute(newest.format(c.name, c.table.name)).fetchone()[0])
        for c in columns
    }


def _append(
    writer: duckdb.DuckDBPyConnection, table: str, columns: list[str], reader: sqlite3.Connection
) -> None:
    names = ", ".join(f'"{column}"' for column in columns)
    kinds = dict(
        writer.execute(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ?", [table]
        ).fetchall()
    )
    values = ", ".join(f'CAST("{column}" AS {kinds[column]})' for column in columns)
    for rows in _chunks(reader.execute(f"SELECT {names} FROM {table}")):
        batch = pa.table(dict(zip(columns, zip(*rows, strict=True), strict=True)))
        writer.register("batch", batch)
        writer.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM batch")
        writer.unregister("batch")


def _fill_sqlite(reader: duckdb.DuckDBPyConnection, writer: sqlite3.Connection, table: str) -> None:
    columns = _sqlite_columns(writer, table)
    marks = ", ".join("?" * len(columns))
    names = ", ".join(f'"{column}"' for column in columns)
    for rows in _chunks(reader.execute(f"SELECT {names} FROM {table}")):
        writer.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", map(_plain, rows))


def _plain(row: Iterable[Any]) -> list[Any]:
    kept = (int, float, str, bytes, type(None))
    return [value if isinstance(value, kept) else str(value) for value in row]


def _chunks(result: Any) -> Iterator[list[tuple[Any, ...]]]:
    while rows := result.fetchmany(_CHUNK):
        yield rows


def _sqlite_tables(connection: sqlite3.Connection) -> list[str]:
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    return sorted(name for (name,) in connection.execute(query) if name != STAMP)


def _sqlite_columns(connection: sqlite3.Connection, table: str) -> list[str]:
    # The last field is 2 or 3 for a generated column.
    return [row[1] for row in connection.execute(f"PRAGMA table_xinfo({table})") if not row[6]]


def _count(connection: Any, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def _compare(expected: Counts, copied: Counts) -> None:
    wrong = {t: (n, copied[t]) for t, n in expected.items() if copied[t] != n}
    if wrong:
        raise MlflowException(f"The copy is not complete, rows expected and copied: {wrong}")
