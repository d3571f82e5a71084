"""Making an MLflow database ready for the installed MLflow: new, upgraded, or moved from SQLite."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mlflow.exceptions import MlflowException
from mlflow.store.db import utils as mlflow_db

from appliance.config.paths import Paths
from appliance.errors import RegistryError
from store.mlflow_backend.copy import STAMP, Counts, sqlite_revision, sqlite_to_duckdb
from store.mlflow_backend.engine import backend_for
from store.mlflow_backend.first_experiment import give_first_experiment_a_root
from store.mlflow_backend.schema import newest_revision, prepare
from store.mlflow_backend.upgrade import migrate_sqlite, upgrade
from store.mlflow_backend.uri import PREFIX, database_path


@dataclass(frozen=True, slots=True)
class Change:
    """What was done: the rows by table of the new file, and the unchanged file they came from."""

    kept: Path
    counts: Counts

    @property
    def rows(self) -> int:
        """The number of rows of all tables."""
        return sum(self.counts.values())


def prepare_file(file: Path, sqlite_file: Path | None = None) -> Change | None:
    """Make a DuckDB file usable by the installed MLflow.

    A file of an older MLflow is upgraded; a missing one takes the rows of `sqlite_file` when that exists
    and is created empty otherwise.

    Returns:
        What was moved; None when no rows were.

    Raises:
        MlflowException: a file is in use, damaged, not MLflow's or of a newer MLflow, or a count differs;
            nothing is changed then.
    """
    if file.exists():
        upgraded = upgrade(file)
        if upgraded is not None:
            return Change(*upgraded)
    elif sqlite_file is not None and sqlite_file.exists():
        return Change(sqlite_file, move_sqlite(sqlite_file, file))
    backend = backend_for(file)
    prepare(backend)
    backend.instance.close()
    return None


def prepare_home(paths: Paths) -> Change | None:
    """Make the DuckDB file of a home that is down usable, as `prepare_file`.

    Raises:
        RegistryError: it could not be; says why. Nothing is changed then.
    """
    try:
        return prepare_file(paths.mlflow_database, paths.mlflow_sqlite)
    except MlflowException as error:
        raise RegistryError(
            error.message,
            code="registry.migrate",
            hint='correct the cause and try again; mlflow.database_url = "sqlite" keeps the old file',
        ) from error


def move_sqlite(source: Path, target: Path) -> Counts:
    """Copy a SQLite file, of the installed or an older MLflow, into a new DuckDB file.

    Returns:
        The number of rows by table of the new file.

    Raises:
        MlflowException: as `prepare_file`.
    """
    if not source.is_file():
        raise MlflowException.invalid_parameter_value(f"No SQLite file at {source}")
    revision = sqlite_revision(source)
    if revision == newest_revision():
        return sqlite_to_duckdb(source, target)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".mlflow-move-") as folder:
        bridge = Path(folder, source.name)
        with closing(sqlite3.connect(source)) as reader, closing(sqlite3.connect(bridge)) as writer:
            reader.backup(writer)
        before = _logged(bridge)
        migrate_sqlite(bridge, "heads")
        if before != (after := _logged(bridge)):
            raise MlflowException(f"MLflow's migration changed counts: {before}, then {after}")
        return sqlite_to_duckdb(bridge, target)


def prepare_uri(uri: str, sqlite_file: Path | None = None) -> Change | None:
    """Make the database of a backend store URI usable by the installed MLflow.

    Args:
        uri: `duckdb:///` and a path: as `prepare_file`; another: MLflow's own migrations.
        sqlite_file: what a new DuckDB file takes its rows from.
    """
    if uri.startswith(PREFIX):
        file = database_path(uri)
        change = prepare_file(file, sqlite_file)
        backend = backend_for(file)
        give_first_experiment_a_root(backend.engine)
        backend.instance.close()
        return change
    engine = mlflow_db.create_sqlalchemy_engine_with_retry(uri)
    try:
        if mlflow_db._is_empty_database(engine):
            mlflow_db._initialize_tables(engine)
        else:
            mlflow_db._upgrade_db(engine)
        give_first_experiment_a_root(engine)
    finally:
        engine.dispose()
    return None


def _logged(file: Path) -> Counts:
    """Return the rows of the tables whose rows no migration makes or drops."""
    tables = ("experiments", "runs", "metrics", "params", "tags", "registered_models")
    with closing(sqlite3.connect(file)) as connection:
        known = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        return {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in (*tables, "model_versions", STAMP)
            if table in known
        }
