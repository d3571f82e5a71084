"""What every project's config is, and how one is chosen and overridden."""

from __future__ import annotations

import pkgutil
import traceback
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, field_validator

import appliance.pipelines
from appliance.config.forms import nearest
from appliance.config.settings import Market, ProjectSettings, Settings, Timeframe
from appliance.config.validation import InvalidValues, validated
from appliance.config.values import cron
from appliance.errors import ApplianceError, ConfigError

Horizon = Annotated[int, Field(ge=1, le=10_000)]
"""How many candles ahead; a config that sets one keeps this type and with it the bounds."""


class SpecSection(BaseModel):
    """A group of config values; frozen, refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ProjectSpec(SpecSection):
    """What the appliance needs to know of any project's config; projects add their own fields."""

    market: Market
    """Market code, such as KRW-BTC."""
    unit: Timeframe
    """Candle width in minutes."""
    horizon: Horizon
    """How many candles ahead a forecast reaches."""
    min_rows: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    """A training needs this many prepared rows."""
    train_schedule: str = ""
    """Cron expression (UTC) for training besides the triggered runs; empty is none."""
    model_max_age_hours: Annotated[int, Field(ge=0, le=876_000)] = 0
    """Age at which a production model is called stale; 0 is never."""

    _is_cron = field_validator("train_schedule")(cron)


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
            hint=nearest(project, known),
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
        hint=nearest(name, sorted(configs)),
        project=project,
    )


def build_spec(
    config: type[ProjectSpec], overrides: Mapping[str, Any], project: str
) -> ProjectSpec:
    """Return the config with `overrides` laid over its defaults; tables merge key by key.

    Raises:
        InvalidValues: an unknown key (the hint names the nearest) or a value that is not allowed.
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
        return validated(config, values, "override ")
    except InvalidValues as error:
        raise InvalidValues(
            [
                replace(
                    problem,
                    message=f"project {project}: {problem.message}",
                    hint=f"{problem.hint} under [overrides] in compose/projects/{project}.toml"
                    if problem.code == "config.invalid_value"
                    else problem.hint,
                )
                for problem in error.problems
            ],
            project=project,
        ) from error
