"""Asking before what is hard to undo."""

from __future__ import annotations

import sys

import click

from appliance.errors import ApplianceError


class Declined(ApplianceError):
    """A person said no."""

    code_default = "question.declined"


def require_yes(question: str) -> None:
    """Ask a question; an answer that is not yes ends the command, which has changed nothing.

    Raises:
        Declined: the answer is not yes; exit code 1.
        click.UsageError: there is nobody to ask.
        click.Abort: the question was interrupted.
    """
    try:
        is_yes = click.confirm(question, err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise click.UsageError("there is nobody to ask: -y answers yes") from None
    if not is_yes:
        raise Declined("nothing was changed: the answer was not yes", hint="y, or -y, says yes")
