"""Command line of the simulator: `python -m appliance.simulator`."""

from __future__ import annotations

import sys

import click

from appliance.errors import ConfigError
from appliance.simulator.command import simulator_command
from appliance.terminal import guard

_USAGE_ERROR = 2


def main(arguments: list[str] | None = None) -> int:
    """Serve until ended by a signal; return the exit code."""
    guard()
    try:
        simulator_command.main(arguments, prog_name="appliance simulator", standalone_mode=False)
    except click.ClickException as error:
        sys.stderr.write(f"simulator: {error.format_message()}\n")
        return error.exit_code
    except ConfigError as error:
        sys.stderr.write(f"simulator: {error.message}\n")
        if error.hint:
            sys.stderr.write(f"simulator: {error.hint}\n")
        return _USAGE_ERROR
    return 0


if __name__ == "__main__":
    sys.exit(main())
