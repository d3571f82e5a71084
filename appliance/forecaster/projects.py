"""Which projects are on the live path, followed through changes of the configuration."""

from __future__ import annotations

import logging

from appliance.config.paths import Paths
from appliance.config.settings import ProjectSettings, Settings, load_settings
from appliance.config.watch import ConfigWatch
from appliance.errors import ConfigError
from appliance.exchange.source import source_kind
from appliance.forecaster.project import ProjectRunner
from appliance.pipelines.code_watch import CodeWatch
from appliance.pipelines.context import ModelSource

_log = logging.getLogger(__name__)


class LiveProjects:
    """The runners of all enabled projects that have a live path.

    A change of the configuration or of a project's code takes effect without a restart; one that cannot be
    used is said in `message`, and what was there before goes on.
    """

    def __init__(self, paths: Paths, models: ModelSource) -> None:
        self._paths = paths
        self._models = models
        self._watch: ConfigWatch | None = None
        self._code = CodeWatch()
        self._enabled: list[str] = []
        self._chosen: dict[str, tuple[ProjectSettings, float]] = {}
        self.runners: tuple[ProjectRunner, ...] = ()
        self.message = ""

    def follow(self) -> bool:
        """Read the configuration when a file of it or of a project has changed; whether one had."""
        changed = self._code.changed(self._enabled)
        for name in changed:
            self._chosen.pop(name, None)
        if self._watch is None:
            self._watch = ConfigWatch(self._paths)
        elif not self._watch.has_changed() and not changed:
            return False
        try:
            self._take(load_settings(self._paths))
        except ConfigError as error:
            self._say([f"{error.message}; {error.hint}"])
        return True

    def _take(self, settings: Settings) -> None:
        is_simulated = source_kind(settings, self._paths) == "simulator"
        speed = settings.simulator.speed if is_simulated else 1.0
        known = {runner.project: runner for runner in self.runners}
        chosen: list[ProjectRunner] = []
        problems: list[str] = []
        self._enabled = [name for name, each in settings.projects.items() if each.enabled]
        for name in self._enabled:
            project = settings.projects[name]
            try:
                runner = known.get(name)
                if runner is None or self._chosen.get(name) != (project, speed):
                    runner = ProjectRunner(name, settings, self._paths, self._models, speed)
                    self._chosen[name] = (project, speed)
                    _log.info("project=%s is followed", name)
            except ConfigError as error:
                problems.append(f"{name}: {error.message}; {error.hint}")
            if runner is not None and runner.stages:
                chosen.append(runner)
        self.runners = tuple(chosen)
        self._say(problems)

    def _say(self, problems: list[str]) -> None:
        self.message = "; ".join(problems)
        if self.message:
            _log.warning("the configuration is not used as it is: %s", self.message)
