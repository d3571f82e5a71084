"""MLflow's server as a home runs it: its application behind the gate; uvicorn is given `app`."""

from __future__ import annotations

from mlflow.server.fastapi_app import app as mlflow_application

from appliance.config.paths import Paths
from appliance.registry.credentials import password
from appliance.registry.gate import Gate

app = Gate(mlflow_application, password(Paths.from_environment()))
