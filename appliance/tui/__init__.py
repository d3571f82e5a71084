"""The terminal dashboard; importing this package loads nothing of Textual."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from appliance.control.api import Control


def run_tui(control: Control) -> int:
    """Show the dashboard until the operator leaves it and return the exit code.

    Leaving stops nothing: the appliance belongs to the supervisor.
    """
    from appliance.tui.app import run

    return run(control)
