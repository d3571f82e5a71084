"""How a command says that it failed: in words on stderr, with `--json` as JSON on stdout too."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from appliance.cli.exit_code import ExitCode, exit_code_of
from appliance.cli.output import emit_line, narrate
from appliance.errors import ApplianceError


def is_json_asked(arguments: Sequence[str]) -> bool:
    """Whether a command line asks for JSON; known before click has read it, which may fail."""
    return is_asked(arguments, "--json")


def is_asked(arguments: Sequence[str], *options: str) -> bool:
    """Whether a command line has one of some options."""
    words = list(arguments)
    options_end = words.index("--") if "--" in words else None
    return any(option in words[:options_end] for option in options)


def fail(error: BaseException, *, as_json: bool) -> int:
    """Tell what went wrong and what to do next; return the exit code."""
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return _tell("interrupted", "interrupted", "", ExitCode.INTERRUPTED, as_json=as_json)
    if isinstance(error, click.ClickException):
        message = " ".join(error.format_message().split())
        return _tell("usage.invalid", message, _usage_of(error), error.exit_code, as_json=as_json)
    if isinstance(error, ApplianceError):
        hint = error.hint or "`appliance doctor` checks machine, home and services"
        return _tell(error.code, error.message, hint, exit_code_of(error), as_json=as_json)
    if os.environ.get("APPLIANCE_DEBUG"):
        import logging

        logging.exception("unexpected error")
    message = f"unexpected {type(error).__name__}: {error}"
    hint = "run it again with APPLIANCE_DEBUG=1 and look at `appliance logs supervisor`"
    return _tell("unexpected", message, hint, ExitCode.FAILED, as_json=as_json)


def _tell(code: str, message: str, hint: str, exit_code: int, *, as_json: bool) -> int:
    if hint:
        narrate(f"error: {message}")
        narrate(f"next:  {hint}")
    else:
        narrate(message)
    if as_json:
        from appliance.cli.results import ErrorDetail, ErrorReport

        emit_line(ErrorReport(ErrorDetail(code, message, hint, int(exit_code))))
    return int(exit_code)


def _usage_of(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = "appliance" if context is None else context.command_path
    return f"`{command} --help` shows what it takes"
