"""What the composition root hands to the console besides the control protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from appliance.tui.keeping import Keeping


@dataclass(frozen=True, slots=True)
class Preferences:
    """Theme (`auto` suits the terminal), keys by action id where they differ, and where things are kept."""

    theme: str = "auto"
    keys: Mapping[str, str] = field(default_factory=dict)
    keeping: Keeping = field(default_factory=Keeping)
