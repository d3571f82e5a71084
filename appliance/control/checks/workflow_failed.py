"""A workflow whose newest run failed."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.control.api import ApplianceStatus
from appliance.control.health import Finding, Surroundings


def find_workflow_failed(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find workflows that ended in failure and have not succeeded since."""
    for project in status.projects:
        for workflow in project.workflows:
            run = workflow.last_run
            if run is not None and run.has_failed:
                yield Finding(
                    "workflow.failed",
                    f"{project.name}.{workflow.kind}",
                    f"{project.name}: the last {workflow.kind} run failed",
                    f"its log is under the workflow's run; repeat it: "
                    f"appliance run {workflow.kind} --project {project.name}",
                )
