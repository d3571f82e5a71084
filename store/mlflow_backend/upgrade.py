"""Bringing a DuckDB file of an older MLflow to the installed one's schema.

MLflow's own migrations do the work, on SQLite, which they support: the rows go into a SQLite file of the old
schema, MLflow migrates it, and the result goes into a new DuckDB file that takes the old one's place.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from pathlib import Path

import duckdb
import sqlalchemy
from alembic import command
from alembic.util import CommandError
from mlflow.exceptions import MlflowException
from mlflow.store.db import utils as mlflow_db
from mlflow.store.tracking.dbmodels.initial_models import Base as InitialBase

from store.mlflow_backend import schema
from store.mlflow_backend.copy import Counts, duckdb_to_sqlite, sqlite_to_duckdb
from store.mlflow_backend.engine import backend_for


def upgrade(file: Path) -> tuple[Path, Counts] | None:
    """Upgrade a file that no process has in use; one that has it open and idle gives it up.

    Returns:
        Where the old file is kept and the rows by table of the new one; None when there was nothing to do.

    Raises:
        MlflowException: the file is in use, not MLflow's, or of a newer MLflow; it is then unchanged.
    """
    revision = _settle(file)
    if revision is None or revision == schema.newest_revision():
        return None
    kept = file.with_name(f"{file.name}.{revision}")
    if kept.exists():
        raise MlflowException.invalid_parameter_value(f"{kept} exists already: move it away first")
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".mlflow-upgrade-") as folder:
        bridge, fresh = Path(folder, "bridge.sqlite"), Path(folder, "fresh.duckdb")
        migrate_sqlite(bridge, revision)
        duckdb_to_sqlite(file, bridge)
        migrate_sqlite(bridge, "heads")
        counts = sqlite_to_duckdb(bridge, fresh)
        os.link(file, kept)
        fresh.replace(file)
    return kept, counts


def _settle(file: Path) -> str | None:
    """Write a file's log into it, so that it is one file; return its revision, None for an empty one."""
    if not file.is_file():
        raise MlflowException.invalid_parameter_value(f"No DuckDB file at {file}")
    instance = backend_for(file).instance
    try:
        with closing(instance.connect()) as lease:
            lease.native.execute("CHECKPOINT")
            if not lease.native.execute("FROM duckdb_tables()").fetchone():
                return None
            row = lease.native.execute("SELECT version_num FROM alembic_version").fetchone()
    except duckdb.Error as error:
        raise MlflowException.invalid_parameter_value(
            f"{file} is not an MLflow database: {error}"
        ) from error
    finally:
        instance.close()
    return str(row[0]) if row else ""


def migrate_sqlite(bridge: Path, revision: str) -> None:
    """Bring a SQLite file, empty or of an older revision, to a revision by MLflow's migrations.

    Raises:
        MlflowException: the installed MLflow does not know the file's or the asked revision.
    """
    engine = sqlalchemy.create_engine(sqlalchemy.URL.create("sqlite", database=str(bridge)))
    InitialBase.metadata.create_all(engine)
    config = mlflow_db._get_alembic_config(str(engine.url))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    except CommandError as error:
        raise MlflowException.invalid_parameter_value(
            f"The installed MLflow does not know schema {revision}: it is older than the MLflow that wrote "
            f"the file. Install that MLflow or a newer one. ({error})"
        ) from error
    finally:
        engine.dispose()
