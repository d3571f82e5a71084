"""The production model is older than its configured life."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from appliance.control.api import ApplianceStatus
from appliance.control.health import Finding, Surroundings


def find_model_stale(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find projects whose production model has outlived `model_max_age_hours`."""
    for project in status.projects:
        limit = timedelta(hours=project.model_max_age_hours)
        if project.champion is None or not limit:
            continue
        age = status.at - project.champion.created_at
        if age > limit:
            yield Finding(
                "model.stale",
                project.name,
                f"{project.name}: the production model, version {project.champion.version}, is"
                f" {age.days} days old, its life is {limit.days} days",
                f"appliance run train --project {project.name}",
            )
