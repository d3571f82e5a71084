"""MLflow's tracking store and model registry in one DuckDB file, as a store plugin.

MLflow finds the two builders below by entry point for URIs such as `duckdb:////var/lib/mlflow.duckdb`
(three slashes and a path, as for SQLite). Importing this module loads neither MLflow nor DuckDB, since
MLflow imports it in every process that imports MLflow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from store.mlflow_backend.registry import DuckDBModelRegistryStore
    from store.mlflow_backend.tracking import DuckDBTrackingStore


def tracking_store(store_uri: str, artifact_uri: str | None = None) -> DuckDBTrackingStore:
    """Build the tracking store of a file; entry point `mlflow.tracking_store`.

    Args:
        store_uri: `duckdb:///` and the file's path.
        artifact_uri: where runs keep their artifacts; MLflow's own default when None.
    """
    from store.mlflow_backend.tracking import DuckDBTrackingStore, default_artifact_root

    return DuckDBTrackingStore(store_uri, artifact_uri or default_artifact_root())


def model_registry_store(
    store_uri: str, tracking_uri: str | None = None
) -> DuckDBModelRegistryStore:
    """Build the model registry of a file; entry point `mlflow.model_registry_store`.

    Args:
        store_uri: `duckdb:///` and the file's path.
        tracking_uri: given by MLflow; a registry in a database has no use for it.
    """
    from store.mlflow_backend.registry import DuckDBModelRegistryStore

    return DuckDBModelRegistryStore(store_uri)
