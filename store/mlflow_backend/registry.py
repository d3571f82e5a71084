"""MLflow's model registry on DuckDB."""

from __future__ import annotations

from mlflow.store.db.db_types import POSTGRES
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

from store.mlflow_backend.engine import backend_for
from store.mlflow_backend.schema import prepare
from store.mlflow_backend.session import managed_sessions
from store.mlflow_backend.uri import database_path


class DuckDBModelRegistryStore(SqlAlchemyStore):
    """MLflow's SQL registry with its sessions on a DuckDB file."""

    def __init__(self, db_uri: str) -> None:
        # Not the parent's: it refuses the scheme and runs MLflow's migrations.
        super(SqlAlchemyStore, self).__init__()
        self.backend = backend_for(database_path(db_uri))
        prepare(self.backend)
        self.db_uri = db_uri
        self.db_type = POSTGRES
        self.engine = self.backend.engine
        self.read_engine = None  # type: ignore[assignment]
        self.ManagedSessionMaker = managed_sessions(self.backend)
        self._initialize_store_state()

    def _dispose_engine(self) -> None:
        self.backend.instance.close()
