"""One SQLAlchemy engine and one write lock for each file, shared by all stores of the process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TypeVar

import duckdb
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST, INTERNAL_ERROR
from sqlalchemy import URL, create_engine
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

from store.mlflow_backend.dialect import NAME
from store.mlflow_backend.instance import Instance

T = TypeVar("T")


class Backend:
    """A file's engine with what its users share.

    Attributes:
        path: the file.
        engine: connects to it; a connection costs microseconds, so none is pooled.
        write_lock: held for the length of a writing session. DuckDB lets the first of two writers of a
            row win and fails the other, so writers take turns; readers see a snapshot and never wait.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.instance = Instance(path)
        self.write_lock = threading.RLock()
        self.engine: Engine = create_engine(
            URL.create(NAME.replace(".", "+"), database=str(path)),
            creator=self.instance.connect,
            poolclass=NullPool,
        )

    def run(self, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """Run `work` in a transaction of its own, without SQLAlchemy; its result, or all undone.

        Raises:
            MlflowException: as raised by `work`, or DuckDB failed.
            duckdb.ConstraintException: a unique key is taken.
        """
        with self.write_lock, closing(self.instance.connect()) as lease:
            connection = lease.native
            connection.begin()
            try:
                result = work(connection)
                connection.commit()
            except (MlflowException, duckdb.ConstraintException):
                _undo(connection)
                raise
            except duckdb.Error as error:
                _undo(connection)
                raise MlflowException(str(error), error_code=INTERNAL_ERROR) from error
            return result


@contextmanager
def refusing() -> Iterator[None]:
    """Turn a violated constraint into what MLflow's clients get to see."""
    try:
        yield
    except duckdb.ConstraintException as error:
        raise MlflowException(str(error), error_code=BAD_REQUEST) from error


def _undo(connection: duckdb.DuckDBPyConnection) -> None:
    # A failed COMMIT has ended the transaction already.
    with suppress(duckdb.TransactionException):
        connection.rollback()


@cache
def _backend(path: Path) -> Backend:
    return Backend(path)


_creating = threading.Lock()


def backend_for(path: Path) -> Backend:
    """Return the one backend of a file in this process."""
    with _creating:
        return _backend(path)
