"""The command tree, and the one place where errors become exit codes."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

import click

from appliance import __version__
from appliance.cli.common_options import utc_option, with_common_options
from appliance.cli.exit_code import ExitCode
from appliance.cli.failure import fail, is_asked, is_json_asked
from appliance.cli.session import Wiring
from appliance.cli.summaries import SUMMARIES
from appliance.config.arguments import WHEN

if TYPE_CHECKING:
    from datetime import datetime

    from click.shell_completion import CompletionItem

    from appliance.cli.session import Dashboard, WrongKeys
    from appliance.errors import ConfigError

COMMANDS = {
    "up": "lifecycle",
    "down": "lifecycle",
    "status": "observe",
    "restart": "lifecycle",
    "logs": "logs",
    "run": "workflows",
    "runs": "runs",
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
    "schema": "schema",
    "man": "man",
    "completion": "man",
    "new-project": "project",
    "project": "project",
    "demo": "lifecycle",
    "simulator": "simulator",
    "alerts": "alerts",
    "store": "store",
    "record": "record",
    "replay": "record",
    "reset": "data",
    "init": "lifecycle",
}
"""Command name to the module of `appliance.cli.commands` that defines it."""


MENDING = ("config", "doctor")
"""Commands that say what is wrong with the configuration, and so go on without the configured zone."""


class CommandGroup(click.Group):
    """Imports a command's module only when that command is asked for; listing them imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, None when there is no such."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"appliance.cli.commands.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        return with_common_options(command, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands, cut to the width as click does."""
        most = formatter.width - 6 - max(map(len, SUMMARIES))
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, _listed(name).get_short_help_str(most)) for name in SUMMARIES]
            )

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that may follow."""
        from click.shell_completion import CompletionItem

        names = [name for name in SUMMARIES if name.startswith(incomplete)]
        commands = [CompletionItem(name, help=_listed(name).get_short_help_str()) for name in names]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]

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


def _listed(name: str) -> click.Command:
    """Return what stands for a command in a list: its name and what it does."""
    return click.Command(name, help=SUMMARIES[name])


@click.group(
    cls=CommandGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: appliance status --json | jq .problems\n\n"
    "Tab completes commands and options (bash, zsh, fish); `appliance man` is the manual.\n\n"
    "Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 try again, 4 unhealthy, "
    "130 interrupted.",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@utc_option
@click.option("--readonly", is_flag=True, help="Open a dashboard whose keys change nothing.")
@click.option("--at", type=WHEN, help="Show the screens as they were: 02:13, a date, -2h.")
@click.pass_context
def app(context: click.Context, readonly: bool, at: datetime | None) -> None:
    """Live market data, four Airflow workflows, MLflow models and drift on one VM.

    Without a command: the dashboard; starts the appliance when it does not run.
    """
    wrong_zone = context.obj.wrong_zone if context.obj else None
    if wrong_zone is not None and context.invoked_subcommand not in MENDING:
        raise wrong_zone
    if context.invoked_subcommand is None:
        from appliance.cli.commands.lifecycle import attach

        context.exit(attach(context, is_read_only=readonly, at=at))
    for name, value in (("--readonly", readonly), ("--at", at)):
        if value:
            raise click.UsageError(
                f"{name} is of the dashboard, not of {context.invoked_subcommand}"
            )


def run(
    arguments: list[str],
    dashboard: Dashboard,
    wrong_keys: WrongKeys = lambda _keys: [],
    wrong_zone: ConfigError | None = None,
) -> int:
    """Run one command line and return its exit code; no traceback reaches the user.

    Args:
        arguments: the words behind `appliance`.
        dashboard: opens the screen on a running appliance and returns an exit code.
        wrong_keys: says which of the dashboard's configured keys cannot be, by action, and why.
        wrong_zone: refuses commands that may read or show a time; not the help, and not what mends it.
    """
    try:
        is_help = is_asked(arguments, "--help", "-h")
        wiring = Wiring(dashboard, wrong_keys, None if is_help else wrong_zone)
        result = app.main(arguments, prog_name="appliance", standalone_mode=False, obj=wiring)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return ExitCode.FAILED
    except (Exception, KeyboardInterrupt) as error:
        return fail(error, as_json=is_json_asked(arguments))
    return result if isinstance(result, int) else ExitCode.DONE
