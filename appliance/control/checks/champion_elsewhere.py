"""A model in production that forecasts something else than the config asks for."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.control.api import ApplianceStatus
from appliance.control.health import Finding, Surroundings


def find_champion_elsewhere(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find projects whose production model is one of another market, timeframe or horizon."""
    for project in status.projects:
        if project.champion is None:
            continue
        tags = project.champion.tags
        served = tuple(tags.get(name) for name in ("market", "unit", "horizon"))
        wanted = (project.market, str(project.unit), str(project.horizon))
        if None in served or served == wanted:
            continue
        market, unit, horizon = served
        yield Finding(
            "model.other_config",
            project.name,
            f"{project.name} forecasts nothing: version {project.champion.version} in production is of"
            f" {market} {unit}m, {horizon} ahead; the config asks for {project.market}"
            f" {project.unit}m, {project.horizon} ahead",
            "a training is asked for by itself once there are rows enough; now: appliance run train"
            f" --project {project.name}",
        )
