"""`appliance simulator`: Upbit's quotation API on this machine."""

from __future__ import annotations

import click


@click.command(
    "simulator",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
@click.pass_context
def simulator_command(context: click.Context) -> int:
    """Serve Upbit's REST and WebSocket quotation API on 127.0.0.1."""
    from appliance.simulator.__main__ import main

    try:
        return main(context.args)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
