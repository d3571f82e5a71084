"""`appliance schema`: what the JSON of a command looks like."""

from __future__ import annotations

import click

from appliance.cli.output import emit_json
from appliance.config.arguments import TEXT, unknown


@click.command("schema")
@click.argument("command", type=TEXT, nargs=-1)
def schema_command(command: tuple[str, ...]) -> None:
    """Print the JSON Schema of what COMMAND prints with --json; without one, those of all commands.

    `error` is what any command prints instead when it fails. The version is raised when a field is renamed,
    removed or changes its meaning; fields may be added without.
    """
    from appliance.cli.outputs import OUTPUTS, VERSION, command_schema

    name = " ".join(command)
    if not name:
        emit_json(
            {"version": VERSION, "commands": {each: command_schema(each) for each in OUTPUTS}}
        )
    elif name in OUTPUTS:
        emit_json(command_schema(name))
    else:
        raise unknown("schema of", name, list(OUTPUTS))
