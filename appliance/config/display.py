"""The zone in which this home's people read times: `display.timezone`, without loading all settings."""

from __future__ import annotations

from appliance import zone
from appliance.config.forms import shown
from appliance.config.layers import read_layers
from appliance.config.paths import Paths
from appliance.config.problem import Problem
from appliance.errors import ApplianceError, ConfigError

_KEY = ("display", "timezone")


def use_configured_zone() -> ConfigError | None:
    """Show times in the configured zone; return what is wrong with it and where it is set, if anything is.

    Then times are the machine's, for the commands that mend the configuration.
    """
    try:
        layers = read_layers(Paths.from_environment())
    except ApplianceError:
        return None  # every command that needs the home says so
    section = layers.values.get("display", {})
    name = section.get("timezone", "") if isinstance(section, dict) else ""
    try:
        zone.use(zone.named(name if isinstance(name, str) else "?"))
    except ValueError as error:
        message = f"display.timezone must be {error}, was {shown(name)}"
        problem = Problem(_KEY, message, "correct display.timezone", place=layers.place(_KEY))
        return ConfigError(str(problem), code=problem.code, hint=problem.hint)
    return None
