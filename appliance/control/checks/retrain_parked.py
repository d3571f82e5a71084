"""A retrain that is wanted and not allowed yet."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.control.api import ApplianceStatus
from appliance.control.health import Finding, Surroundings


def find_retrain_parked(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find projects whose retrain waits for its budget or cooldown."""
    for project in status.projects:
        parked = project.parked
        if parked is not None:
            yield Finding(
                "retrain.parked",
                project.name,
                f"{project.name}: a retrain waits for its budget or cooldown: {'; '.join(parked.reasons)}",
                f"it starts when it is allowed; now: appliance run train --project {project.name}",
                since_at=parked.parked_at,
            )
