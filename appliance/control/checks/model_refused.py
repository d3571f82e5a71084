"""A version's files are not what was registered."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.control.api import ApplianceStatus, ProjectStatus
from appliance.control.health import Finding, Surroundings
from appliance.domain.model_proof import ModelRefusal


def find_model_refused(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find refused versions that are in production, may return to it, or are newer than production's."""
    for project in status.projects:
        for refusal in project.refusals:
            if _matters(project, refusal):
                yield Finding(
                    "model.refused",
                    f"{project.name}.{refusal.version}",
                    f"{project.name}: version {refusal.version} is not what was registered, and is not"
                    f" used: {refusal.reason}; {_goes_on(project, refusal)}",
                    f"find out who changed it; appliance run train --project {project.name} makes a new one",
                    since_at=refusal.refused_at,
                )


def _matters(project: ProjectStatus, refusal: ModelRefusal) -> bool:
    champion = project.champion.version if project.champion is not None else 0
    aliased = {project.previous_champion, project.challenger}
    return refusal.version >= champion or refusal.version in aliased


def _goes_on(project: ProjectStatus, refusal: ModelRefusal) -> str:
    if project.champion is None:
        return "no model is in production"
    if project.champion.version == refusal.version:
        return "the last good model goes on where there is one"
    return f"version {project.champion.version} is in production"
