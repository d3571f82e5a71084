"""What the control plane knows of the configured projects."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from appliance import clock
from appliance.config.paths import Paths
from appliance.config.settings import Settings, load_settings
from appliance.config.watch import ConfigWatch
from appliance.domain.feed import Feed
from appliance.errors import ConfigError
from appliance.pipelines.code_watch import CodeWatch
from appliance.pipelines.spec import SpecSection, describe_project

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Project:
    """An enabled project; `error` says why its configuration cannot be used, with `hint`.

    `features` are those that its config asks for, as JSON; "" where its configs have none.
    """

    name: str
    market: str = ""
    unit: int = 0
    horizon: int = 0
    model_max_age_hours: int = 0
    min_rows: int = 0
    features: str = ""
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
    features = getattr(described, "features", None)
    return Project(
        name,
        described.market,
        described.unit,
        described.horizon,
        described.model_max_age_hours,
        described.min_rows,
        features.model_dump_json() if isinstance(features, SpecSection) else "",
    )


LOOK_SECONDS = 2.0
"""Between two looks for changed files."""


class FollowedProjects:
    """The projects and markets, followed through changes of configuration and code; callable from any thread.

    While the configuration cannot be read, what was there before stays.
    """

    def __init__(self, paths: Paths, settings: Settings) -> None:
        self._paths = paths
        self._watch = ConfigWatch(paths)
        self._code = CodeWatch()
        self._take(settings)
        self._looked_at = float("-inf")
        self._lock = threading.Lock()

    def __call__(self) -> tuple[Project, ...]:
        """Return the projects as of the last look."""
        with self._lock:
            if clock.monotonic() - self._looked_at >= LOOK_SECONDS:
                self._look()
            return self._known

    def look_again(self) -> None:
        """Look for changed files at the next call."""
        with self._lock:
            self._looked_at = float("-inf")

    def _look(self) -> None:
        self._looked_at = clock.monotonic()
        changed = self._code.changed(project.name for project in self._known)
        if not self._watch.has_changed() and not changed:
            return
        try:
            self._take(load_settings(self._paths))
        except ConfigError as error:
            _log.warning("the changed configuration is not used: %s", error.message)

    def _take(self, settings: Settings) -> None:
        projects, ingest = settings.projects, settings.ingest
        self._known = tuple(read_projects(settings))
        self._disabled = tuple(name for name, each in projects.items() if not each.enabled)
        self._markets = tuple(Feed(m, unit) for m in ingest.markets for unit in ingest.timeframes)

    def disabled(self) -> tuple[str, ...]:
        """Return the names of the projects that are configured and not enabled."""
        self()
        return self._disabled

    def markets(self) -> tuple[Feed, ...]:
        """Return the markets and timeframes that are ingested."""
        self()
        return self._markets

    def names(self) -> list[str]:
        """Return their names, as configured."""
        return [project.name for project in self()]
