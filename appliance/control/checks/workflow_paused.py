"""A workflow that Airflow does not start because somebody has paused its DAG."""

from __future__ import annotations

from collections.abc import Iterator

from appliance import zone
from appliance.control.api import ApplianceStatus
from appliance.control.health import Finding, Surroundings


def find_workflow_paused(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find workflows of enabled projects whose DAG is paused."""
    for project in status.projects:
        for workflow in project.workflows:
            if workflow.is_paused:
                since = workflow.paused_at or status.at
                yield Finding(
                    "workflow.paused",
                    f"{project.name}.{workflow.kind}",
                    f"{project.name}: {workflow.kind} is paused in Airflow since"
                    f" {zone.utc_text(since)}: no run of it starts",
                    f"unpause: appliance run {workflow.kind} --project {project.name} --unpause",
                )
