"""A DAG file that does not import."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.control.api import ApplianceStatus
from appliance.control.health import Finding, Surroundings
from appliance.domain.workflow import dag_id


def find_dag_broken(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find workflows whose DAG file Airflow cannot import."""
    for project in status.projects:
        for workflow in project.workflows:
            if workflow.import_error:
                name = dag_id(workflow.project, workflow.kind)
                reason = workflow.import_error.splitlines()[-1]
                yield Finding(
                    "dag.import_error",
                    name,
                    f"dags/{name}.py does not import: {reason}",
                    f"correct dags/{name}.py; it is read again within half a minute",
                )
