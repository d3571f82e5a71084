"""The zone in which this home's people read times: `display.timezone`, without loading all settings."""

from __future__ import annotations

from appliance import zone
from appliance.config.forms import shown
from appliance.config.layers import read_layers
from appliance.config.paths import Paths
from appliance.errors import ApplianceError


def use_configured_zone() -> str:
    """Show times in the configured zone; return what is wrong with it, "" when nothing is.

    Then times are the machine's. Whoever loads the settings refuses them and says where the value is set.
    """
    try:
        section = read_layers(Paths.from_environment()).values.get("display", {})
    except ApplianceError:
        return ""  # every command that needs the home says so
    name = section.get("timezone", "") if isinstance(section, dict) else ""
    try:
        zone.use(zone.named(name if isinstance(name, str) else "?"))
    except ValueError as error:
        return f"display.timezone must be {error}, was {shown(name)}"
    return ""
