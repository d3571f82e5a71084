"""Migrations are applied once, in order, and never from an edited file."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from appliance.errors import StoreError
from store.migrate import Migration, migrate, read_migrations, schema_version


def _migrations(folder: Path, *texts: str) -> tuple[Migration, ...]:
    folder.mkdir(exist_ok=True)
    for number, text in enumerate(texts, start=1):
        (folder / f"{number:04}_step.sql").write_text(text, encoding="utf-8")
    return read_migrations(folder)


def test_the_shipped_migrations_make_the_current_schema() -> None:
    with duckdb.connect() as connection:
        assert migrate(connection) == schema_version()
        assert migrate(connection) == schema_version()
        tables = {row[0] for row in connection.execute("SHOW TABLES").fetchall()}
    assert {"candles_raw", "candles", "coverage", "forecasts", "outcomes", "events"} <= tables


def test_only_what_is_missing_is_applied(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        assert migrate(connection, _migrations(tmp_path, "CREATE TABLE a (x INTEGER)")) == 1
        both = _migrations(tmp_path, "CREATE TABLE a (x INTEGER)", "INSERT INTO a VALUES (1)")
        assert migrate(connection, both) == 2
        assert migrate(connection, both) == 2
        assert connection.execute("SELECT * FROM a").fetchall() == [(1,)]


def test_an_edited_migration_is_refused(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        migrate(connection, _migrations(tmp_path, "CREATE TABLE a (x INTEGER)"))
        with pytest.raises(StoreError) as caught:
            migrate(connection, _migrations(tmp_path, "CREATE TABLE a (x BIGINT)"))
    assert caught.value.code == "store.changed_migration"
    assert caught.value.hint


def test_a_file_newer_than_the_code_is_refused(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        new = _migrations(tmp_path, "CREATE TABLE a (x INTEGER)", "CREATE TABLE b (x INTEGER)")
        migrate(connection, new)
        with pytest.raises(StoreError) as caught:
            migrate(connection, new[:1])
    assert caught.value.code == "store.newer_schema"
    assert caught.value.hint


def test_a_failing_migration_leaves_nothing_of_itself(tmp_path: Path) -> None:
    broken = "CREATE TABLE b (x INTEGER); INSERT INTO nowhere VALUES (1)"
    with duckdb.connect() as connection:
        with pytest.raises(duckdb.CatalogException):
            migrate(connection, _migrations(tmp_path, "CREATE TABLE a (x INTEGER)", broken))
        tables = {row[0] for row in connection.execute("SHOW TABLES").fetchall()}
        applied = connection.execute("SELECT version FROM schema_migrations").fetchall()
    assert tables == {"a", "schema_migrations"}
    assert applied == [(1,)]


def test_a_missing_number_is_refused(tmp_path: Path) -> None:
    _migrations(tmp_path, "SELECT 1", "SELECT 2")
    (tmp_path / "0001_step.sql").unlink()
    with pytest.raises(StoreError):
        read_migrations(tmp_path)


def test_a_kill_right_after_a_migration_leaves_a_file_that_opens(tmp_path: Path) -> None:
    file = tmp_path / "store.duckdb"
    program = (
        "import duckdb, os, signal, sys; from store.migrate import migrate;"
        "connection = duckdb.connect(sys.argv[1]); migrate(connection);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(file)], check=False)
    assert done.returncode == -signal.SIGKILL
    with duckdb.connect(str(file)) as connection:
        assert migrate(connection) == schema_version()
