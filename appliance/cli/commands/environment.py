"""`appliance env`: what a user's own notebook or script needs to reach this home's MLflow."""

from __future__ import annotations

import shlex
import sys

import click

from appliance.cli import session
from appliance.cli.output import emit, emit_json, narrate
from appliance.config.environment import shell_variable
from appliance.config.paths import Paths
from appliance.errors import ApplianceNotRunning

_CONNECT_SECONDS = 2.0
_LOOPBACK = ("127.0.0.1", "localhost")
_IN_THE_WAY = (
    *("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_AUTH", "MLFLOW_TRACKING_AWS_SIGV4"),
    *("MLFLOW_TRACKING_CLIENT_CERT_PATH", "MLFLOW_REGISTRY_URI", "MLFLOW_ENABLE_WORKSPACES"),
)
"""Variables by which MLflow's client would go elsewhere or say something else."""


@click.command("env")
@session.json_option
def env_command(as_json: bool) -> None:
    """Print shell commands that let your own scripts use this MLflow: eval "$(appliance env)".

    They hold the password of user `appliance`. JSON has null for a variable to unset.
    """
    variables = _variables(session.paths())
    if as_json:
        emit_json(variables)
        return
    for name, value in variables.items():
        emit(f"unset {name}" if value is None else f"export {name}={shlex.quote(value)}")
    if sys.stdout.isatty():
        narrate('for a shell: eval "$(appliance env)"')


def _variables(home: Paths) -> dict[str, str | None]:
    """Return what to set, and None for what to unset.

    Raises:
        ApplianceNotRunning: the appliance is down.
        UnprovenListener: MLflow does not run, or somebody else listens on its port.
    """
    from appliance.config.listeners import connect_proven, recorded_listener
    from appliance.registry.credentials import USER, password

    if not session.is_supervised():
        raise ApplianceNotRunning(f"the appliance of {home.home} does not run", hint="appliance up")
    connect_proven(home, "mlflow", _CONNECT_SECONDS).close()
    return {
        "APPLIANCE_HOME": str(home.home),
        "MLFLOW_TRACKING_URI": recorded_listener(home, "mlflow").url,
        "MLFLOW_TRACKING_USERNAME": USER,
        "MLFLOW_TRACKING_PASSWORD": password(home),
        **dict.fromkeys(_IN_THE_WAY),
        **{name: _without_proxy(shell_variable(name)) for name in ("NO_PROXY", "no_proxy")},
    }


def _without_proxy(hosts: str) -> str:
    """Return a list of hosts that need no proxy, with this machine among them."""
    named = [host.strip() for host in hosts.split(",") if host.strip()]
    return ",".join([*named, *(host for host in _LOOPBACK if host not in named)])
