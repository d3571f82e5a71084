"""`appliance man` and `appliance completion`: what `install.sh` puts beside the command."""

from __future__ import annotations

import shutil
import subprocess
import sys

import click

from appliance.cli.output import emit_text

SHELLS = ("bash", "zsh", "fish")


@click.command("man")
def man_command() -> None:
    """Show the manual page; print its source where the output is no terminal."""
    from appliance import __version__, clock
    from appliance.cli.main import app
    from appliance.cli.man_page import man_page

    page = man_page(app, __version__, clock.now().date())
    if sys.stdout.isatty() and shutil.which("man"):
        subprocess.run(["man", "-l", "-"], input=page, text=True, check=False)
    else:
        emit_text(page)


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def completion_command(shell: str) -> None:
    """Print what completes commands and options in SHELL; `install.sh` has installed it already."""
    from click.shell_completion import get_completion_class

    from appliance.cli.main import app

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click has these three
    completion = kind(app, {}, "appliance", "_APPLIANCE_COMPLETE")
    emit_text(completion.source_template % completion.source_vars() + "\n")
