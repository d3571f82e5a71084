"""Starting, stopping, restarting, attaching."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from appliance.cli import session
from appliance.cli.capable import require_screen
from appliance.cli.exit_code import ExitCode
from appliance.cli.output import emit, emit_json, narrate
from appliance.cli.supervision import DAEMON, start_or_join, stop
from appliance.config import arguments
from appliance.config.instance_lock import is_stopping, is_supervised
from appliance.config.paths import Paths
from appliance.domain.service import ServiceState
from appliance.errors import ApplianceNotRunning, ConfigError, ServiceError

if TYPE_CHECKING:
    from datetime import datetime

    from appliance.cli.results import Started, Stopped
    from appliance.cli.session import Wiring
    from appliance.control.api import ApplianceStatus

START_SECONDS = 180
STOP_SECONDS = 90

F = TypeVar("F", bound=Callable[..., Any])


def _timeout_option(default: int) -> Callable[[F], F]:
    return click.option(
        "--timeout",
        type=arguments.SECONDS,
        default=default,
        show_default=True,
        help="Seconds to wait.",
    )


@click.command("up")
@click.option("--foreground", is_flag=True, help="Supervise in this process, for systemd.")
@click.option("--no-wait", is_flag=True, help="Return when the supervisor answers.")
@_timeout_option(START_SECONDS)
@session.json_option
def up_command(foreground: bool, no_wait: bool, timeout: int, as_json: bool) -> int:
    """Start the appliance and wait until every service is ready; exit 4 when one is not."""
    from appliance.cli.configuration_check import require_valid

    if foreground and as_json:
        raise click.UsageError("--foreground prints the supervisor's log; it has no JSON")
    require_valid(session.paths())
    if foreground:
        from appliance.supervisor.environment import base_environment

        os.execve(DAEMON[0], DAEMON, base_environment(session.paths()))  # noqa: S606
    return _start(timeout, as_json=as_json, is_waiting=not no_wait)


def _start(timeout: float, *, as_json: bool, is_waiting: bool = True) -> int:
    """Start the appliance unless it runs, and wait until it is ready."""
    from appliance.cli.results import Started

    changed = start_or_join(timeout)
    if is_waiting:
        return _report(_wait_until_ready(timeout, changed=changed), as_json=as_json)
    if as_json:
        emit_json(Started(changed, session.paths().home, is_ready=False, source=""))
    return ExitCode.DONE


def _report(started: Started, *, as_json: bool) -> int:
    if as_json:
        emit_json(started)
    return ExitCode.DONE if started.is_ready else ExitCode.UNHEALTHY


def _wait_until_ready(timeout: float, *, changed: bool) -> Started:
    """Narrate each service's state changes until all are ready, one is given up, or time is over.

    Raises:
        ServiceError: the appliance was stopped meanwhile.
    """
    from appliance.cli.results import Started

    control, shown = session.control(), dict[str, str]()
    deadline = time.monotonic() + timeout
    while True:
        try:
            status = control.status()
        except ApplianceNotRunning:
            if is_supervised(session.paths()) and not is_stopping(session.paths()):
                raise
            raise ServiceError(
                "the appliance was stopped before it was ready", hint="appliance up"
            ) from None
        _narrate_changes(status, shown)
        given_up = [s.name for s in status.services if s.observed is ServiceState.GIVEN_UP]
        waiting = [s.name for s in status.services if not s.is_ready]
        is_ready = bool(status.services) and not waiting
        if is_ready or given_up or time.monotonic() > deadline:
            break
        time.sleep(0.3)
    missing = given_up or waiting
    if is_ready:
        narrate(f"all {len(status.services)} services are ready; source: {status.source.label}")
    else:
        narrate(f"error: not ready: {', '.join(missing)}")
        narrate(f"next:  appliance logs {missing[0] if missing else 'supervisor'}")
    home, source = session.paths().home, status.source.label
    return Started(changed, home, is_ready, source, status.services, tuple(missing))


def _narrate_changes(status: ApplianceStatus, shown: dict[str, str]) -> None:
    for service in status.services:
        line = f"{service.observed.value}: {service.reason}"
        previous = shown.get(service.name, "")
        if previous.split(":")[0] != service.observed.value:
            narrate(f"  {service.name:22} {line}")
        shown[service.name] = line


@click.command("down")
@_timeout_option(STOP_SECONDS)
@session.json_option
def down_command(timeout: int, as_json: bool) -> None:
    """Stop every service and the supervisor; state is kept."""
    stopped = _stop(timeout)
    if as_json:
        emit_json(stopped)


def _stop(timeout: float) -> Stopped:
    """Stop the appliance; raise `ServiceError` when it takes longer."""
    stopped = stop(timeout)
    if not stopped.is_stopped:
        raise ServiceError(f"still stopping after {timeout} s", hint="appliance logs supervisor")
    return stopped


@click.command("restart")
@click.argument("service", type=arguments.TEXT, required=False)
@_timeout_option(START_SECONDS)
@session.json_option
def restart_command(service: str | None, timeout: int, as_json: bool) -> int:
    """Restart SERVICE, or the whole appliance without a name."""
    if service is None:
        from appliance.cli.configuration_check import require_valid

        require_valid(session.paths())
        _stop(STOP_SECONDS)
        return _start(timeout, as_json=as_json)
    control = session.control()
    names = [each.name for each in control.status().services]
    if names and service not in names:
        raise arguments.unknown("service", service, names)
    control.restart_service(service, session.origin())
    narrate(f"restarting {service}")
    return _report(_wait_until_ready(timeout, changed=True), as_json=as_json)


@click.command("demo")
@click.option("--home", type=arguments.FOLDER, help="Default: ~/.local/share/appliance-demo")
@click.option(
    "--seed", type=arguments.SEED, default=7, show_default=True, help="Same seed, same market."
)
@click.option(
    "--speed",
    type=arguments.Number(0, 600, min_open=True),
    default=1.0,
    show_default=True,
    help="Simulated seconds per second.",
)
@click.option("--no-attach", is_flag=True, help="Do not open the dashboard.")
@session.json_option
@click.pass_context
def demo_command(
    context: click.Context,
    home: Path | None,
    seed: int,
    speed: float,
    no_attach: bool,
    as_json: bool,
) -> int:
    """Run everything on the built-in simulator, in a home of its own."""
    demo_home = (home or Path("~/.local/share/appliance-demo")).expanduser().absolute()
    os.environ["APPLIANCE_HOME"] = str(demo_home)
    initialise(demo=True, seed=seed, speed=speed)
    narrate(f"demo home: {demo_home} (use it with APPLIANCE_HOME={shlex.quote(str(demo_home))})")
    if no_attach or as_json or not sys.stdout.isatty():
        return _start(START_SECONDS, as_json=as_json)
    return attach(context)


@click.command("init", hidden=True)
@click.option("--demo", is_flag=True, help="Configure the built-in simulator as the source.")
@session.json_option
def init_command(demo: bool, as_json: bool) -> None:
    """Create the home: directories, secrets, the market source."""
    from appliance.cli.results import HomeMade

    home = session.paths().home
    changed = not home.exists()
    made = HomeMade(changed, home, initialise(demo=demo))
    if as_json:
        emit_json(made)
    else:
        emit(f"home    {made.home}")
        emit(f"source  {made.source}")


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
    from appliance.config.exchanges import SIMULATOR, entry_of
    from appliance.exchange.source import source_kind

    kind = source_kind(session.settings(), home)
    if kind != SIMULATOR:
        raise ConfigError(
            f"{home.home} holds candles of {entry_of(kind).title}; one store never mixes sources",
            code="source.other",
            hint="use another APPLIANCE_HOME for the demo, or `appliance down` and "
            "`appliance reset --store`",
        )


def attach(
    context: click.Context, *, is_read_only: bool = False, at: datetime | None = None
) -> int:
    """Open the dashboard, as of `at` when given.

    The supervisor is started first when none runs, unless it is to look only.
    """
    from appliance.control.recording.replay import ReplayRecording

    if not sys.stdin.isatty() or not sys.stdout.isatty():
        raise click.UsageError("the dashboard needs a terminal; try `appliance status`")
    require_screen(os.environ, sys.stdout.encoding)
    wiring: Wiring = context.obj
    recording = ReplayRecording(session.paths().recording, "")
    display = session.settings().display
    for action, wrong in wiring.wrong_keys(display.keys):
        raise ConfigError(
            f"display.keys.{action}: {wrong}", hint="correct it: `appliance config check` lists all"
        )
    if at is not None:
        recording.span()
        control = session.control(is_read_only=is_read_only)
        return wiring.dashboard(control, display, recording, at)
    if not session.is_running():
        if is_read_only:
            raise ApplianceNotRunning("there is nothing to look at", hint="appliance up")
        start_or_join(START_SECONDS)
    return wiring.dashboard(session.control(is_read_only=is_read_only), display, recording)
