"""The terminal dashboard; importing this package loads nothing of Textual."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from appliance.control.api import Control
    from appliance.control.past import Recording
    from appliance.tui.preferences import Preferences


def run_tui(
    control: Control | None,
    preferences: Preferences | None = None,
    recording: Recording | None = None,
    start_at: datetime | None = None,
) -> int:
    """Show the dashboard until the operator leaves it and return the exit code.

    Leaving stops nothing: the appliance belongs to the supervisor. Without a `control` only the recording is
    shown; `start_at` is the time to show first, None for now.
    """
    from appliance.tui.app import run
    from appliance.tui.preferences import Preferences

    return run(control, preferences or Preferences(), recording, start_at)
