"""The terminal dashboard; importing this package loads nothing of Textual."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from appliance.control.api import Control
    from appliance.control.past import Recording
    from appliance.tui.preferences import Preferences

FAREWELL = "The appliance keeps running. `appliance` shows it again, `appliance down` stops it.\n"


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
    from appliance.tui.app import ApplianceApp

    code = ApplianceApp(control, preferences, recording=recording, start_at=start_at).run()
    if control is not None:
        sys.stdout.write(FAREWELL)
    return code or 0
