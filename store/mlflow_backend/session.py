"""Sessions for MLflow's stores: writers take turns, and foreign keys are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from mlflow.store.db import utils as mlflow_db
from mlflow.store.db.db_types import POSTGRES
from sqlalchemy.orm import Session, sessionmaker

from store.mlflow_backend.engine import Backend
from store.mlflow_backend.integrity import keep_foreign_keys

SessionMaker = Callable[..., AbstractContextManager[Session]]


def managed_sessions(backend: Backend) -> SessionMaker:
    """Return what MLflow calls `ManagedSessionMaker`: sessions that commit and close by themselves.

    A session made with `read_only=False` holds the file's write lock from before its transaction begins.
    """
    maker = sessionmaker(bind=backend.engine)
    keep_foreign_keys(maker)
    sessions: Any = mlflow_db._get_managed_session_maker(maker, POSTGRES)

    @contextmanager
    def managed(read_only: bool = True) -> Iterator[Session]:
        turn = nullcontext() if read_only else backend.write_lock
        with turn, sessions(read_only=read_only) as session:
            yield session

    return managed
