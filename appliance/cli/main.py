"""The command tree, and the one place where errors become exit codes."""

from __future__ import annotations

import importlib
import logging
import os
from typing import TYPE_CHECKING

import click

from appliance import __version__
from appliance.cli.exit_code import ExitCode, exit_code_of
from appliance.cli.output import narrate, narrate_error
from appliance.errors import ApplianceError

if TYPE_CHECKING:
    from appliance.cli.session import Dashboard

COMMANDS = {
    "up": "lifecycle",
    "down": "lifecycle",
    "status": "observe",
    "restart": "lifecycle",
    "logs": "observe",
    "run": "workflows",
    "models": "models",
    "drift": "monitoring",
    "candles": "data",
    "coverage": "history",
    "backfill": "history",
    "audit": "history",
    "events": "observe",
    "sql": "data",
    "doctor": "doctor",
    "config": "configuration",
    "env": "environment",
    "new-project": "project",
    "project": "project",
    "demo": "lifecycle",
    "simulator": "simulator",
    "alerts": "alerts",
    "store": "store",
    "reset": "data",
    "init": "lifecycle",
}
"""Command name to the module of `appliance.cli.commands` that defines it."""


class CommandGroup(click.Group):
    """Imports a command's module only when that command, or the help, is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, None when there is no such."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"appliance.cli.commands.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or suggest the nearest one."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"No such command {args[0][:80]!a}.{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=CommandGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 try again, 4 unhealthy, "
    "130 interrupted.",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def app(context: click.Context) -> None:
    """Live market data, four Airflow workflows, MLflow models and drift on one VM.

    Without a command: the dashboard; starts the appliance when it does not run.
    """
    if context.invoked_subcommand is None:
        from appliance.cli.commands.lifecycle import attach

        context.exit(attach(context))


def run(arguments: list[str], dashboard: Dashboard) -> int:
    """Run one command line and return its exit code; no traceback reaches the user.

    Args:
        arguments: the words behind `appliance`.
        dashboard: opens the screen on a running appliance and returns an exit code.
    """
    try:
        result = app.main(arguments, prog_name="appliance", standalone_mode=False, obj=dashboard)
    except (click.Abort, KeyboardInterrupt):
        narrate("interrupted")
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        narrate(f"error: {_one_line(error.format_message())}")
        narrate(f"next:  {_usage_of(error)}")
        return error.exit_code
    except ApplianceError as error:
        narrate_error(error)
        return exit_code_of(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return ExitCode.FAILED
    except Exception as error:
        if os.environ.get("APPLIANCE_DEBUG"):
            logging.exception("unexpected error")
        narrate(f"error: unexpected {type(error).__name__}: {error}")
        narrate(
            "next:  run it again with APPLIANCE_DEBUG=1 and look at `appliance logs supervisor`"
        )
        return ExitCode.FAILED
    return result if isinstance(result, int) else ExitCode.DONE


def _one_line(message: str) -> str:
    return " ".join(message.split())


def _usage_of(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = "appliance" if context is None else context.command_path
    return f"`{command} --help` shows what it takes"
