"""Starting, stopping, restarting, attaching."""

from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance.cli import session
from appliance.cli.exit_code import ExitCode
from appliance.cli.output import emit, emit_json, narrate
from appliance.cli.supervision import DAEMON, start_or_join, stop
from appliance.config import arguments
from appliance.config.instance_lock import is_stopping, is_supervised
from appliance.config.paths import Paths
from appliance.domain.service import ServiceState
from appliance.errors import ApplianceNotRunning, ConfigError

if TYPE_CHECKING:
    from appliance.cli.session import Dashboard
    from appliance.control.api import ApplianceStatus

START_SECONDS = 180
STOP_SECONDS = 90


@click.command("up")
@click.option("--foreground", is_flag=True, help="Supervise in this process, for systemd.")
@click.option("--no-wait", is_flag=True, help="Return when the supervisor answers.")
@click.option("--timeout", type=arguments.SECONDS, default=START_SECONDS, show_default=True)
def up_command(foreground: bool, no_wait: bool, timeout: int) -> int:
    """Start the appliance and wait until every service is ready."""
    from appliance.cli.configuration_check import require_valid

    require_valid(session.paths())
    if foreground:
        from appliance.supervisor.environment import base_environment

        os.execve(DAEMON[0], DAEMON, base_environment(session.paths()))  # noqa: S606
    start_or_join(timeout)
    return ExitCode.DONE if no_wait else _wait_until_ready(timeout)


def _wait_until_ready(timeout: float) -> int:
    """Narrate each service's state changes until all are ready."""
    control, shown = session.control(), dict[str, str]()
    deadline = time.monotonic() + timeout
    while True:
        try:
            status = control.status()
        except ApplianceNotRunning:
            if is_supervised(session.paths()) and not is_stopping(session.paths()):
                raise
            narrate("error: the appliance was stopped before it was ready")
            narrate("next:  appliance up")
            return ExitCode.FAILED
        _narrate_changes(status, shown)
        if status.services and all(service.is_ready for service in status.services):
            narrate(f"all {len(status.services)} services are ready; source: {status.source.label}")
            return ExitCode.DONE
        given_up = [s.name for s in status.services if s.observed is ServiceState.GIVEN_UP]
        if given_up or time.monotonic() > deadline:
            names = given_up or [s.name for s in status.services if not s.is_ready]
            narrate(f"error: not ready: {', '.join(names)}")
            narrate(f"next:  appliance logs {names[0] if names else 'supervisor'}")
            return ExitCode.UNHEALTHY
        time.sleep(0.3)


def _narrate_changes(status: ApplianceStatus, shown: dict[str, str]) -> None:
    for service in status.services:
        line = f"{service.observed.value}: {service.reason}"
        previous = shown.get(service.name, "")
        if previous.split(":")[0] != service.observed.value:
            narrate(f"  {service.name:22} {line}")
        shown[service.name] = line


@click.command("down")
@click.option("--timeout", type=arguments.SECONDS, default=STOP_SECONDS, show_default=True)
def down_command(timeout: int) -> int:
    """Stop every service and the supervisor; state is kept."""
    if stop(timeout):
        return ExitCode.DONE
    narrate(f"error: still stopping after {timeout} s")
    narrate("next:  appliance logs supervisor")
    return ExitCode.FAILED


@click.command("restart")
@click.argument("service", type=arguments.TEXT, required=False)
@click.option("--timeout", type=arguments.SECONDS, default=START_SECONDS, show_default=True)
@click.pass_context
def restart_command(context: click.Context, service: str | None, timeout: int) -> int:
    """Restart SERVICE, or the whole appliance without a name."""
    if service is None:
        stopped: int = context.invoke(down_command)
        return stopped or int(context.invoke(up_command, timeout=timeout))
    control = session.control()
    names = [each.name for each in control.status().services]
    if names and service not in names:
        raise arguments.unknown("service", service, names)
    control.restart_service(service, actor="operator")
    narrate(f"restarting {service}")
    return _wait_until_ready(timeout)


@click.command("demo")
@click.option("--home", type=arguments.FOLDER, help="Default: ~/.local/share/appliance-demo")
@click.option(
    "--seed", type=arguments.SEED, default=7, show_default=True, help="Same seed, same market."
)
@click.option(
    "--speed", type=arguments.Number(0, 600, min_open=True), default=1.0, show_default=True
)
@click.option("--no-attach", is_flag=True, help="Do not open the dashboard.")
@click.pass_context
def demo_command(
    context: click.Context, home: Path | None, seed: int, speed: float, no_attach: bool
) -> int:
    """Run everything on the built-in simulator, in a home of its own."""
    demo_home = (home or Path("~/.local/share/appliance-demo")).expanduser().absolute()
    os.environ["APPLIANCE_HOME"] = str(demo_home)
    initialise(demo=True, seed=seed, speed=speed)
    narrate(f"demo home: {demo_home} (use it with APPLIANCE_HOME={shlex.quote(str(demo_home))})")
    if no_attach or not sys.stdout.isatty():
        start_or_join(START_SECONDS)
        return _wait_until_ready(START_SECONDS)
    return attach(context)


@click.command("init", hidden=True)
@click.option("--demo", is_flag=True, help="Configure the built-in simulator as the source.")
@session.json_option
def init_command(demo: bool, as_json: bool) -> None:
    """Create the home: directories, secrets, the market source."""
    source_label = initialise(demo=demo)
    if as_json:
        emit_json({"home": session.paths().home, "source": source_label})
    else:
        emit(f"home    {session.paths().home}")
        emit(f"source  {source_label}")


def initialise(*, demo: bool, seed: int = 7, speed: float = 1.0) -> str:
    """Create directories and secrets, settle the source; return its label. Keeps what exists."""
    from appliance.config.paths import write_atomically
    from appliance.config.secret import generate_missing

    home = session.paths()
    home.create()
    generate_missing(home)
    local = home.compose / "appliance.toml"
    if demo and home.store_file.exists():
        _require_simulator(home)
    elif demo and not local.exists():
        write_atomically(
            local,
            f'[source]\nkind = "simulator"\n\n[simulator]\nseed = {seed}\nspeed = {speed}\n',
        )
    return session.source_label()


def _require_simulator(home: Paths) -> None:
    from appliance.upbit.source import source_kind

    if source_kind(session.settings(), home) != "simulator":
        raise ConfigError(
            f"{home.home} holds candles of Upbit; one store never mixes sources",
            code="source.other",
            hint="use another APPLIANCE_HOME for the demo, or `appliance down` and "
            "`appliance reset --store`",
        )


def attach(context: click.Context) -> int:
    """Open the dashboard; start the supervisor first when none runs."""
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        raise click.UsageError("the dashboard needs a terminal; try `appliance status`")
    session.settings()
    if not session.is_running():
        start_or_join(START_SECONDS)
    dashboard: Dashboard = context.obj
    return dashboard(session.control())
