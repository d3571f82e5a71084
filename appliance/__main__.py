"""Entry point of the `appliance` command: wires the command line and the dashboard."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from appliance.config.settings import DisplaySettings
    from appliance.control.api import Control
    from appliance.control.past import Recording


def _open_dashboard(
    control: Control | None,
    display: DisplaySettings,
    recording: Recording | None = None,
    start_at: datetime | None = None,
) -> int:
    from appliance.config.paths import Paths
    from appliance.tui import run_tui
    from appliance.tui.keeping import Keeping
    from appliance.tui.preferences import Preferences

    keeping = Keeping(Paths.from_environment().console)
    preferences = Preferences(display.theme, display.keys, keeping)
    return run_tui(control, preferences, recording, start_at)


def _wrong_keys(keys: Mapping[str, str]) -> list[tuple[str, str]]:
    from appliance.tui import keymap
    from appliance.tui.action_keys import default_keys

    return keymap.problems(default_keys(), keys)


def main() -> None:
    """Run the command line and exit with its code."""
    from appliance.config.environment import enter
    from appliance.terminal import guard

    guard()
    enter()  # before any library reads a variable
    from appliance.cli.main import run
    from appliance.config.display import use_configured_zone

    sys.exit(run(sys.argv[1:], _open_dashboard, _wrong_keys, use_configured_zone()))


if __name__ == "__main__":
    main()
