"""What the control plane knows of the configured projects."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.config.settings import Settings
from appliance.errors import ConfigError
from appliance.pipelines.spec import describe_project


@dataclass(frozen=True, slots=True)
class Project:
    """An enabled project; `error` says why its configuration cannot be used, with `hint`."""

    name: str
    market: str = ""
    unit: int = 0
    horizon: int = 0
    model_max_age_hours: int = 0
    error: str = ""
    hint: str = ""


def read_projects(settings: Settings) -> list[Project]:
    """Return the enabled projects; one with a broken configuration says so."""
    names = [name for name, project in settings.projects.items() if project.enabled]
    return [_read(settings, name) for name in names]


def _read(settings: Settings, name: str) -> Project:
    try:
        described = describe_project(settings, name)
    except ConfigError as error:
        return Project(name, error=error.message, hint=error.hint)
    return Project(
        name,
        described.market,
        described.unit,
        described.horizon,
        described.model_max_age_hours,
    )
