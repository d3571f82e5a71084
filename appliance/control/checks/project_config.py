"""A project whose configuration cannot be used."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.control.api import ApplianceStatus
from appliance.control.health import Finding, Surroundings


def find_project_config(_: ApplianceStatus, surroundings: Surroundings) -> Iterator[Finding]:
    """Find projects that could not be read from their configuration."""
    for project, error, hint in surroundings.project_errors:
        yield Finding("config.project", project, f"project {project}: {error}", hint)
