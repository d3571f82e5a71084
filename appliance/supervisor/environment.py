"""Environment variables of the services."""

from __future__ import annotations

import os

from appliance.config.environment import clean
from appliance.config.paths import Paths


def base_environment(paths: Paths) -> dict[str, str]:
    """Return what every service gets: the little that is kept of our own environment, and the home."""
    return clean(os.environ) | {
        "APPLIANCE_HOME": str(paths.home),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore",
        "MALLOC_ARENA_MAX": "2",
    }


def thread_limits() -> dict[str, str]:
    """Return how many threads numeric libraries of one process may use."""
    cores = os.cpu_count() or 1
    return {
        "OMP_NUM_THREADS": str(min(cores, 4)),
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


def mlflow_client(ports: dict[str, int]) -> dict[str, str]:
    """Return what makes a process talk to this home's MLflow, and to nobody else."""
    return {
        "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{ports['mlflow']}",
        "MLFLOW_TRACKING_AUTH": "appliance",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }
