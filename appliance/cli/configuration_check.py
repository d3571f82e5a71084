"""Everything that is wrong with a home's configuration, and with the files and projects that it names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from appliance import clock
from appliance.config.forms import is_project_name
from appliance.config.layers import Layers, read_layers
from appliance.config.problem import Key, Problem
from appliance.config.settings import ProjectSettings, Settings, settings_of
from appliance.config.validation import InvalidValues, validated
from appliance.errors import ConfigError

if TYPE_CHECKING:
    from appliance.config.paths import Paths

_IMPORT_FAILED = "config.project_import"


def find_problems(paths: Paths) -> tuple[Problem, ...]:
    """Return every wrong key and value with its file and line; none when all is valid."""
    layers = read_layers(paths)
    problems: list[Problem] = []
    settings = None
    try:
        settings = settings_of(layers)
    except InvalidValues as error:
        problems += error.problems
    for name, section in _projects(layers).items():
        problems += _project_problems(layers, name, section)
    if settings is not None:
        problems += _file_problems(layers, settings)
    return tuple(problems)


def require_valid(paths: Paths) -> Settings:
    """Return the settings of a home in which everything is valid.

    Raises:
        InvalidValues: something is not.
    """
    if problems := find_problems(paths):
        raise InvalidValues(problems)
    return settings_of(read_layers(paths))


def _projects(layers: Layers) -> dict[str, ProjectSettings]:
    """Return the sections of projects that are valid by themselves, whatever the rest is."""
    sections = layers.values.get("projects")
    projects = {}
    for name, values in sections.items() if isinstance(sections, dict) else ():
        try:
            section = validated(ProjectSettings, values)
        except InvalidValues:
            continue  # settings_of has told
        if is_project_name(name):
            projects[name] = section
    return projects


def _project_problems(layers: Layers, name: str, section: ProjectSettings) -> Iterator[Problem]:
    from appliance.pipelines.spec import describe_project

    key = ("projects", name)
    try:
        describe_project(Settings(projects={name: section}), name)
    except InvalidValues as error:
        yield from error.located((*key, "overrides"), layers.place).problems
    except ConfigError as error:
        if error.code == _IMPORT_FAILED and not section.enabled:
            return  # switched off until it is mended
        is_config = error.code == "config.unknown_config"
        yield _problem(layers, (*key, "config") if is_config else key, error)


def _file_problems(layers: Layers, settings: Settings) -> Iterator[Problem]:
    """Yield what is wrong with the files that the simulator is to read."""
    simulator = settings.simulator
    if not (simulator.replay or simulator.scenario or simulator.faults):
        return
    from appliance.simulator.fault_file import load_faults
    from appliance.simulator.replay import ReplayMarket
    from appliance.simulator.scripted_markets import load_markets
    from appliance.simulator.shifts import load_scenario

    for market, file in simulator.replay.items():
        try:
            ReplayMarket(market, Path(file).expanduser())
        except ConfigError as error:
            yield _problem(layers, ("simulator", "replay", market), error)
    try:
        if simulator.scenario:
            scenario = Path(simulator.scenario).expanduser()
            load_scenario(scenario, clock.now())
            load_markets(scenario, clock.now())
    except ConfigError as error:
        yield _problem(layers, ("simulator", "scenario"), error)
    try:
        if simulator.faults:
            load_faults(Path(simulator.faults).expanduser(), clock.now(), simulator.speed)
    except ConfigError as error:
        yield _problem(layers, ("simulator", "faults"), error)


def _problem(layers: Layers, key: Key, error: ConfigError) -> Problem:
    message = f"{'.'.join(key)}: {error.message}"
    return Problem(key, message, error.hint or "correct it", error.code, layers.place(key))
