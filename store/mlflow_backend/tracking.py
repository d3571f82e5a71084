"""MLflow's tracking store on DuckDB."""

from __future__ import annotations

import os
from collections.abc import Sequence

from duckdb import ConstraintException, DuckDBPyConnection
from mlflow.entities import Metric, Param, RunTag
from mlflow.store.db.db_types import POSTGRES
from mlflow.store.tracking import DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.uri import resolve_uri_if_local
from mlflow.utils.validation import (
    _validate_batch_log_data,
    _validate_batch_log_limits,
    _validate_metric,
    _validate_param,
    _validate_param_keys_unique,
    _validate_run_id,
    _validate_tag,
)

from store.mlflow_backend import batch
from store.mlflow_backend.engine import backend_for, refusing
from store.mlflow_backend.schema import prepare
from store.mlflow_backend.session import managed_sessions
from store.mlflow_backend.uri import database_path


def default_artifact_root() -> str:
    """Return where MLflow keeps artifacts when nobody says: the server's root, or ./mlruns."""
    root = os.environ.get("_MLFLOW_SERVER_ARTIFACT_ROOT")
    return root or str(DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH)


class DuckDBTrackingStore(SqlAlchemyStore):
    """MLflow's SQL tracking store with its sessions on a DuckDB file."""

    def __init__(self, db_uri: str, default_artifact_root: str) -> None:
        # Not the parent's: it refuses the scheme and runs MLflow's migrations.
        super(SqlAlchemyStore, self).__init__()
        self.backend = backend_for(database_path(db_uri))
        prepare(self.backend)
        self.db_uri = db_uri
        self.db_type = POSTGRES
        self.artifact_root_uri = resolve_uri_if_local(default_artifact_root)
        self.engine = self.backend.engine
        self.read_engine = None  # type: ignore[assignment]
        self.ManagedSessionMaker = managed_sessions(self.backend)
        self._initialize_store_state()

    def log_batch(
        self,
        run_id: str,
        metrics: Sequence[Metric],
        params: Sequence[Param],
        tags: Sequence[RunTag],
    ) -> None:
        """Log all of a batch or, when any of it is refused, nothing."""
        _validate_run_id(run_id)
        metrics, params, tags = _validate_batch_log_data(metrics, params, tags)
        _validate_batch_log_limits(metrics, params, tags)
        _validate_param_keys_unique(params)
        experiment_id = self._log(run_id, metrics, params, tags)
        if any(metric.model_id is not None for metric in metrics):
            self._log_model_metrics(run_id, list(metrics), experiment_id=experiment_id)

    def log_metric(self, run_id: str, metric: Metric) -> None:
        """Log one metric."""
        _validate_metric(metric.key, metric.value, metric.timestamp, metric.step)
        experiment_id = self._log(run_id, [metric], [], [])
        if metric.model_id is not None:
            self._log_model_metrics(run_id, [metric], experiment_id=experiment_id)

    def log_param(self, run_id: str, param: Param) -> None:
        """Log one param."""
        self._log(run_id, [], [_validate_param(param.key, param.value)], [])

    def set_tag(self, run_id: str, tag: RunTag) -> None:
        """Set one tag."""
        self._log(run_id, [], [], [_validate_tag(tag.key, tag.value)])

    def _log(
        self,
        run_id: str,
        metrics: Sequence[Metric],
        params: Sequence[Param],
        tags: Sequence[RunTag],
    ) -> str:
        """Store validated metrics, params and tags in one transaction; return the run's experiment."""
        points = batch.points_of(metrics, self.sanitize_metric_value)

        def write(connection: DuckDBPyConnection, *, some_exist: bool) -> str:
            experiment_id = batch.check_active(connection, run_id)
            batch.add_params(connection, run_id, params)
            batch.add_metrics(connection, run_id, points, some_exist=some_exist)
            batch.set_tags(connection, run_id, tags)
            return experiment_id

        with self.backend.write_lock:
            try:
                return self.backend.run(lambda connection: write(connection, some_exist=False))
            except ConstraintException:  # a point is there already: rare, and slower to allow for
                with refusing():
                    return self.backend.run(lambda connection: write(connection, some_exist=True))

    def _dispose_engine(self) -> None:
        self.backend.instance.close()
