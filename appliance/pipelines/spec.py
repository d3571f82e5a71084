"""What every project's config is, and how one is chosen and overridden."""

from __future__ import annotations

import difflib
import pkgutil
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import appliance.pipelines
from appliance.config.settings import Market, ProjectSettings, Settings, Timeframe
from appliance.errors import ApplianceError, ConfigError

Horizon = Annotated[int, Field(ge=1, le=10_000)]
"""How many candles ahead; a config that sets one keeps this type and with it the bounds."""


class SpecSection(BaseModel):
    """A group of config values; frozen, refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ProjectSpec(SpecSection):
    """What the appliance needs to know of any project's config; projects add their own fields."""

    market: Market
    """Upbit market code."""
    unit: Timeframe
    """Candle width in minutes."""
    horizon: Horizon
    """How many candles ahead a forecast reaches."""
    train_schedule: str = ""
    """Cron expression (UTC) for training besides the triggered runs; empty is none."""
    model_max_age_hours: Annotated[int, Field(ge=0)] = 0
    """Age at which a production model is called stale; 0 is never."""


SHARED = frozenset({"forecasting", "template"})
"""Packages beside the projects that are none."""


def project_names() -> list[str]:
    """Return the projects that are there, whether enabled or not."""
    folder = appliance.pipelines.__path__
    found = {module.name for module in pkgutil.iter_modules(folder) if module.ispkg}
    return sorted(found - SHARED)


def project_folder(project: str) -> Path:
    """Return a project's folder.

    Raises:
        ConfigError: no such project; the hint names the nearest.
    """
    known = project_names()
    if project not in known:
        raise ConfigError(
            f"there is no project {project!r} in appliance/pipelines",
            code="config.unknown_project",
            hint=_nearest(project, known),
            project=project,
        )
    folders = (Path(folder, project) for folder in appliance.pipelines.__path__)
    return next(folder for folder in folders if folder.is_dir())


def project_module(project: str, name: str) -> ModuleType:
    """Return the module `name` (such as `core.stages`) of a project.

    Raises:
        ConfigError: no such project (the hint names the nearest), or its code cannot be imported.
    """
    project_folder(project)
    try:
        return import_module(f"appliance.pipelines.{project}.{name}")
    except ApplianceError:
        raise
    except Exception as error:  # a project's own code may raise anything while it is imported
        raise _import_failure(project, name, error) from error


def _import_failure(project: str, name: str, error: Exception) -> ConfigError:
    if isinstance(error, SyntaxError):
        place = f"{error.filename}, line {error.lineno}"
    else:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{frame.filename}, line {frame.lineno}"
    return ConfigError(
        f"{name} of project {project} cannot be imported: {type(error).__name__}: {error} ({place})",
        code="config.project_import",
        hint=f"correct it, then `appliance project check {project}`",
        project=project,
    )


def describe_project(settings: Settings, project: str) -> ProjectSpec:
    """Return a project's config as the settings choose and override it; imports nothing heavy.

    Raises:
        ConfigError: unknown project, config or override key, or a value that is not allowed.
    """
    chosen = settings.projects.get(project, ProjectSettings())
    load = project_module(project, "utils.load_spec_from_config").load_spec_from_config
    return cast("ProjectSpec", load(chosen.config, chosen.overrides))


def choose_config(
    configs: Mapping[str, type[ProjectSpec]], name: str, project: str
) -> type[ProjectSpec]:
    """Return the config class registered under `name`.

    Raises:
        ConfigError: there is none; the hint names the nearest one.
    """
    if name in configs:
        return configs[name]
    raise ConfigError(
        f"project {project} has no config {name!r}",
        code="config.unknown_config",
        hint=_nearest(name, sorted(configs)),
        project=project,
    )


def build_spec(
    config: type[ProjectSpec], overrides: Mapping[str, Any], project: str
) -> ProjectSpec:
    """Return the config with `overrides` laid over its defaults; tables merge key by key.

    Raises:
        ConfigError: an unknown key (the hint names the nearest) or a value that is not allowed.
    """
    values: dict[str, Any] = {}
    for key, value in overrides.items():
        field = config.model_fields.get(key)
        default = field.default if field is not None else None
        if isinstance(value, Mapping) and isinstance(default, BaseModel):
            values[key] = {**default.model_dump(), **value}
        else:
            values[key] = value
    try:
        return config.model_validate(values)
    except ValidationError as error:
        raise _explain(error, config, project) from error


def _explain(error: ValidationError, config: type[BaseModel], project: str) -> ConfigError:
    first = error.errors()[0]
    location = [str(part) for part in first["loc"]]
    key = ".".join(location)
    if first["type"] == "extra_forbidden":
        return ConfigError(
            f"unknown override {key!r} for project {project}",
            code="config.unknown_key",
            hint=_nearest(location[-1], _known_keys(config, location[:-1])),
            project=project,
        )
    return ConfigError(
        f"override {key} of project {project}: {first['msg']} (was {first['input']!r})",
        code="config.invalid_value",
        hint=f"correct {key} under [overrides] in compose/projects/{project}.toml",
        project=project,
    )


def _known_keys(config: type[BaseModel], section: Sequence[str]) -> list[str]:
    model = config
    for part in section:
        field = model.model_fields.get(part)
        if field is None or not isinstance(field.default, BaseModel):
            break
        model = type(field.default)
    return sorted(model.model_fields)


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
