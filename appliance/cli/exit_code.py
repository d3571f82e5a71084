"""Exit codes of every command."""

from __future__ import annotations

from enum import IntEnum

from appliance.errors import ApplianceError, ConfigError, TransientError


class ExitCode(IntEnum):
    """What a command's exit status says."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    TRY_AGAIN = 3
    UNHEALTHY = 4
    INTERRUPTED = 130


def exit_code_of(error: ApplianceError) -> ExitCode:
    """Return the exit code that belongs to an error."""
    if isinstance(error, ConfigError):
        return ExitCode.USAGE
    if isinstance(error, TransientError):
        return ExitCode.TRY_AGAIN
    return ExitCode.FAILED
