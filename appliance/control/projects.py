"""What the control plane knows of the configured projects."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from appliance.config.paths import Paths
from appliance.config.settings import Settings, load_settings
from appliance.config.watch import ConfigWatch
from appliance.errors import ConfigError
from appliance.pipelines.spec import describe_project

_log = logging.getLogger(__name__)


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


class FollowedProjects:
    """The enabled projects, followed through changes of the configuration; callable from any thread.

    While the configuration cannot be read, what was there before stays.
    """

    def __init__(self, paths: Paths, settings: Settings) -> None:
        self._paths = paths
        self._watch = ConfigWatch(paths)
        self._known = tuple(read_projects(settings))
        self._lock = threading.Lock()

    def __call__(self) -> tuple[Project, ...]:
        """Return the projects as of now."""
        with self._lock:
            if self._watch.has_changed():
                try:
                    self._known = tuple(read_projects(load_settings(self._paths)))
                except ConfigError as error:
                    _log.warning("the changed configuration is not used: %s", error.message)
            return self._known

    def names(self) -> list[str]:
        """Return their names, as configured."""
        return [project.name for project in self()]
