"""Airflow's API and pages behind `LocalPages`; uvicorn is given `app`.

Airflow asks for its own credentials, but takes its cookie from whatever page the browser shows.
"""

from __future__ import annotations

from airflow.api_fastapi.main import app as airflow_application

from appliance.config.local_pages import LocalPages

app = LocalPages(airflow_application)
