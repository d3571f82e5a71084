"""MLflow's server as a home runs it, for uvicorn: kept to the artifact root, and behind the gate."""

from __future__ import annotations

import os

from mlflow.server.constants import ARTIFACTS_DESTINATION_ENV_VAR
from mlflow.server.fastapi_app import app as mlflow_application
from mlflow.server.handlers import _get_tracking_store

from appliance.config.paths import Paths
from appliance.registry.artifact_root import ArtifactRoot
from appliance.registry.confinement import confine
from appliance.registry.credentials import password
from appliance.registry.deleted_runs import DeletedRunsRoute
from appliance.registry.gate import Gate

_home = Paths.from_environment()
confine(ArtifactRoot(os.environ[ARTIFACTS_DESTINATION_ENV_VAR], _home.mlflow_artifacts))
app = Gate(DeletedRunsRoute(mlflow_application, _get_tracking_store), password(_home))
