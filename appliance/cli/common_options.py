"""What every command has: `--utc`, an example in its help, and a pager where its output may be long."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC
from typing import Any

import click

from appliance import zone
from appliance.cli.examples import EXAMPLES

PAGED = frozenset(
    (
        *("status", "runs", "models", "models compare", "drift", "candles", "coverage", "audit"),
        *("events", "sql", "alerts", "config show", "project list", "schema"),
    )
)
"""Commands whose output may be longer than a screen."""

_UNPAGED = "appliance.unpaged"


def _use_utc(context: click.Context, parameter: click.Parameter, is_given: bool) -> None:
    if is_given:
        zone.use(UTC)


def _note_unpaged(context: click.Context, parameter: click.Parameter, is_given: bool) -> None:
    context.meta[_UNPAGED] = is_given


utc_option = click.option(
    "--utc",
    is_flag=True,
    is_eager=True,  # before an argument that is a time is read
    expose_value=False,
    callback=_use_utc,
    help="Show and read times in UTC.",
)
_no_pager_option = click.option(
    "--no-pager",
    is_flag=True,
    expose_value=False,
    callback=_note_unpaged,
    help="Print long output straight to the terminal.",
)


def with_common_options(command: click.Command, name: str) -> click.Command:
    """Give a command, and those of a group, what every command has; a second call adds nothing.

    Args:
        command: is changed.
        name: its words, such as `models promote`.
    """
    if not any(parameter.name == "utc" for parameter in command.params):
        utc_option(command)
        if name in PAGED:
            _no_pager_option(command)
            command.callback = _with_pager(command.callback)
        if name in EXAMPLES:
            command.epilog = f"Example: {EXAMPLES[name]}"
    if isinstance(command, click.Group):
        for inner_name, inner in command.commands.items():
            with_common_options(inner, f"{name} {inner_name}")
    return command


def _with_pager(callback: Callable[..., Any] | None) -> Callable[..., Any]:
    assert callback is not None  # noqa: S101 - a command of ours has one

    @functools.wraps(callback)
    def run(*arguments: Any, **options: Any) -> Any:
        is_endless = options.get("follow") or options.get("watch")
        if is_endless or click.get_current_context().meta.get(_UNPAGED):
            return callback(*arguments, **options)
        from appliance.cli.pager import paged

        with paged():
            return callback(*arguments, **options)
        return None  # the reader has left the pager

    return run
