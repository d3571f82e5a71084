"""A model in production that forecasts something else, or from something else, than the config asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from appliance.control.api import ApplianceStatus, ProjectStatus
from appliance.control.health import Finding, Surroundings
from appliance.domain.model_version import ModelVersion


def find_champion_elsewhere(
    status: ApplianceStatus, surroundings: Surroundings
) -> Iterator[Finding]:
    """Find projects whose production model is one of another market, timeframe, horizon or features."""
    for project in status.projects:
        champion = project.champion
        if champion is None:
            continue
        difference = _difference(project, champion, surroundings.features)
        if not difference:
            continue
        yield Finding(
            "model.other_config",
            project.name,
            f"{project.name} forecasts nothing: version {champion.version} in production {difference}",
            "a training is asked for by itself once there are rows enough; now: appliance run train"
            f" --project {project.name}",
        )


def _difference(project: ProjectStatus, champion: ModelVersion, features: Mapping[str, str]) -> str:
    """Return in words what the champion is of instead, "" where it serves."""
    tags = champion.tags
    served = tuple(tags.get(name) for name in ("market", "unit", "horizon"))
    wanted = (project.market, str(project.unit), str(project.horizon))
    if None in served:
        return "does not say what it forecasts: tags of it are gone from MLflow"
    if served != wanted:
        market, unit, horizon = served
        return (
            f"is of {market} {unit}m, {horizon} ahead; the config asks for {project.market}"
            f" {project.unit}m, {project.horizon} ahead"
        )
    learnt = tags.get("features")
    if learnt and learnt != features.get(project.name, learnt):
        return "learnt from other features than the config asks for"
    return ""
