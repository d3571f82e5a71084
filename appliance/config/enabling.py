"""Enables and disables a project in this machine's configuration."""

from __future__ import annotations

from appliance.config.layers import read_layers
from appliance.config.paths import Paths, write_atomically
from appliance.config.settings import settings_of
from appliance.config.toml_lines import line_of
from appliance.errors import ConfigError

_KEY = ("enabled",)


def enable_project(paths: Paths, project: str, *, is_enabled: bool) -> bool:
    """Write `enabled` into the home's file of a configured project; whether that changed anything.

    Raises:
        ConfigError: the configuration is broken, or a variable overrides the file.
    """
    if settings_of(read_layers(paths)).projects[project].enabled == is_enabled:
        return False
    file = paths.compose / "projects" / f"{project}.toml"
    before = file.read_text("utf-8") if file.exists() else ""
    write_atomically(file, _with_enabled(before, is_enabled=is_enabled))
    layers = read_layers(paths)
    if settings_of(layers).projects[project].enabled != is_enabled:
        place = layers.place(("projects", project, *_KEY))
        raise ConfigError(
            f"projects.{project}.enabled is set by {place}, which counts more than {file}",
            code="config.overridden",
            hint=f"change it there: {place}",
        )
    return True


def disabled_project(project: str) -> ConfigError:
    """Return the error that nothing is done for a disabled project."""
    return ConfigError(
        f"project {project} is disabled: nothing runs for it",
        code="project.disabled",
        hint=f"appliance project enable {project}",
    )


def _with_enabled(text: str, *, is_enabled: bool) -> str:
    """Return a project's TOML with `enabled` set; other lines stay as they are."""
    words = f"enabled = {str(is_enabled).lower()}"
    number = line_of(text, _KEY) if text else None
    lines = text.splitlines()
    if number is None:
        return "\n".join([words, *lines]) + "\n"
    lines[number - 1] = words
    return "\n".join(lines) + "\n"
