"""Environment variables of the services."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from appliance.config.paths import Paths
from appliance.config.secret import Secret, read_secret
from appliance.config.settings import Settings

_FOREIGN = ("AIRFLOW", "MLFLOW_", "_MLFLOW", "PG", "PYTHONSTARTUP", "VIRTUAL_ENV")
"""Prefixes of variables of the operator's shell that would change how a service behaves."""


def base_environment(paths: Paths) -> dict[str, str]:
    """Return what every service gets: the supervisor's own environment, cleaned, and the home."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    binaries = str(Path(sys.executable).parent)
    search = inherited.get("PATH", os.defpath).split(os.pathsep)
    if binaries not in search:
        search.insert(0, binaries)
    return inherited | {
        "APPLIANCE_HOME": str(paths.home),
        "PATH": os.pathsep.join(search),
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
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }


def s3_environment(paths: Paths, settings: Settings) -> dict[str, str]:
    """Return S3's endpoint, region and credentials as far as they are configured."""
    candidates = {
        "AWS_ACCESS_KEY_ID": read_secret(paths, Secret.S3_ACCESS_KEY_ID),
        "AWS_SECRET_ACCESS_KEY": read_secret(paths, Secret.S3_SECRET_ACCESS_KEY),
        "MLFLOW_S3_ENDPOINT_URL": settings.s3.endpoint_url,
        "AWS_DEFAULT_REGION": settings.s3.region,
    }
    return {name: value for name, value in candidates.items() if value}
