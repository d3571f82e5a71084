"""Entry point of the `appliance` command: wires the command line and the dashboard."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from appliance.control.api import Control


def _open_dashboard(control: Control) -> int:
    from appliance.tui import run_tui

    return run_tui(control)


def main() -> None:
    """Run the command line and exit with its code."""
    from appliance.config.environment import enter
    from appliance.terminal import guard

    guard()
    enter()  # before any library reads a variable
    from appliance.cli.main import run

    sys.exit(run(sys.argv[1:], _open_dashboard))


if __name__ == "__main__":
    main()
