"""MLflow's tables in a DuckDB file: made from MLflow's own metadata, stamped with MLflow's revision.

MLflow's migrations do not run on DuckDB (it adds no column with a constraint), so a new file gets the newest
schema at once, and a file of another revision is copied into a new one by `upgrade`.
"""

from __future__ import annotations

from functools import cache

from alembic.migration import MigrationContext
from mlflow.exceptions import MlflowException
from mlflow.store.db import utils as mlflow_db
from mlflow.store.db.base_sql_model import Base
from sqlalchemy import Connection, MetaData, Table, text
from sqlalchemy.schema import CreateIndex, CreateTable

from store.mlflow_backend.dialect import is_numbered, sequence_name
from store.mlflow_backend.engine import Backend

metadata: MetaData = Base.metadata


@cache
def newest_revision() -> str:
    """Return the schema revision of the installed MLflow."""
    return str(mlflow_db._get_latest_schema_revision())


def revision_of(connection: Connection) -> str | None:
    """Return the revision a file is stamped with; None for a file without MLflow's tables."""
    return MigrationContext.configure(connection).get_current_revision()


def prepare(backend: Backend) -> None:
    """Create the schema when the file is empty; one thread at a time, all of it or nothing.

    Raises:
        MlflowException: the file's schema is of another MLflow version.
    """
    with backend.write_lock, backend.engine.begin() as connection:
        revision = revision_of(connection)
        if revision is None:
            create(connection)
            _seed(connection)
        elif revision != newest_revision():
            raise MlflowException.invalid_parameter_value(
                f"{backend.path} has MLflow schema {revision}, the installed MLflow needs "
                f"{newest_revision()}. Stop every process that uses the file and run: "
                f"python -m store.mlflow_backend upgrade {backend.path}"
            )


def create(connection: Connection, first: dict[str, int] | None = None) -> None:
    """Create all tables and the stamp in the connection's transaction.

    Args:
        connection: to a file without tables.
        first: by sequence name, the first number to give out; 1 for the rest.
    """
    for table in metadata.sorted_tables:
        _create_table(connection, table, first or {})
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR PRIMARY KEY)"))
    connection.execute(
        text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": newest_revision()}
    )


def _seed(connection: Connection) -> None:
    """Insert the one row that MLflow's migrations leave in a new database."""
    connection.execute(
        metadata.tables["workspaces"].insert(),
        {"name": "default", "description": "Default workspace for legacy resources"},
    )


def _create_table(connection: Connection, table: Table, first: dict[str, int]) -> None:
    for column in filter(is_numbered, table.columns):
        name = sequence_name(column)
        connection.execute(text(f"CREATE SEQUENCE {name} START {first.get(name, 1)}"))
    connection.execute(CreateTable(table))
    for index in table.indexes:
        # Only unique ones: the rest slow updates, and DuckDB's scans do without them.
        if index.unique:
            connection.execute(CreateIndex(index))
