"""A DAG file that does not import."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.control.api import ApplianceStatus
from appliance.control.health import Finding, Surroundings


def find_dag_broken(_: ApplianceStatus, surroundings: Surroundings) -> Iterator[Finding]:
    """Find DAG files that Airflow cannot import, whatever project they belong to."""
    for name, error in surroundings.dag_errors:
        yield Finding(
            "dag.import_error",
            name,
            f"dags/{name}.py does not import: {error.strip().splitlines()[-1]}",
            f"correct dags/{name}.py; it is read again within half a minute",
        )
