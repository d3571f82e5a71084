"""MLflow's model registry on DuckDB."""

from __future__ import annotations

from mlflow.entities.model_registry import RegisteredModel
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS
from mlflow.store.db.db_types import POSTGRES
from mlflow.store.model_registry.dbmodels.models import SqlModelVersion
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.time import get_current_time_millis
from mlflow.utils.validation import _validate_model_renaming
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

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

    def rename_registered_model(self, name: str, new_name: str) -> RegisteredModel:
        """Rename a model with its versions, in one statement for all of them.

        Raises:
            MlflowException: there is no such model, or one of the new name.
        """
        _validate_model_renaming(new_name)
        now = get_current_time_millis()
        with self.ManagedSessionMaker(read_only=False) as session:
            model = self._get_registered_model(session, name)
            model.name, model.last_updated_time = new_name, now
            try:
                session.flush()
            except IntegrityError as error:
                raise MlflowException(
                    f"Registered Model (name={new_name}) already exists. Error: {error}",
                    RESOURCE_ALREADY_EXISTS,
                ) from error
            versions = update(SqlModelVersion).where(
                SqlModelVersion.workspace == model.workspace, SqlModelVersion.name == new_name
            )
            session.execute(versions.values(last_updated_time=now))
            renamed: RegisteredModel = model.to_mlflow_entity()
            return renamed

    def _dispose_engine(self) -> None:
        self.backend.instance.close()
