"""Airflow's api-server on the listening socket that the supervisor has opened.

Does what `airflow api-server` does around `uvicorn.run` (`airflow.cli.commands.api_server_command`), which
opens a socket of its own.
"""

from __future__ import annotations

import os

from appliance.supervisor.asgi_service import serve

KEEP_ALIVE_SECONDS = 120


def main() -> None:
    """Serve Airflow's API and pages until SIGTERM."""
    from airflow.api_fastapi.auth.tokens import get_signing_args
    from airflow.configuration import conf
    from airflow.utils.providers_configuration_loader import providers_configuration_loaded

    os.environ["AIRFLOW_API_APPS"] = "all"
    get_signing_args()
    providers_configuration_loaded(serve)(
        "appliance.supervisor.airflow_web:app",
        log_config=None,  # Airflow has set logging up
        log_level=conf.get("logging", "uvicorn_logging_level", fallback="info").lower(),
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
