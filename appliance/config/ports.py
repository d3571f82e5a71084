"""TCP ports that this home has chosen itself, kept over restarts, and where its services are."""

from __future__ import annotations

import json
from typing import Any

from appliance.config.listeners import UnprovenListener, recorded_listener
from appliance.config.paths import Paths, write_atomically
from appliance.errors import ApplianceNotRunning, ConfigError


def read_ports(paths: Paths) -> dict[str, int]:
    """Return service name -> port that was chosen for it at the last start; empty before the first.

    Raises:
        ConfigError: the file is damaged; the next start writes it anew.
    """
    try:
        recorded: Any = json.loads(paths.ports_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        raise _damaged(paths, "it is not JSON") from error
    if not isinstance(recorded, dict):
        raise _damaged(paths, "it is not an object")
    for name, port in recorded.items():
        if type(port) is not int or not 0 < port < 65_536:
            raise _damaged(paths, f"{name!r} has {str(port)[:40]!r} instead of a port")
    return recorded


def write_ports(paths: Paths, ports: dict[str, int]) -> None:
    """Record the ports that were chosen, not set."""
    write_atomically(paths.ports_file, json.dumps(ports, indent=2) + "\n")


def service_url(paths: Paths, service: str) -> str:
    """Return `http://127.0.0.1:<port>` of `mlflow`, `airflow` or `simulator`, where it was opened last.

    Who talks to it proves the listener (`appliance.config.listeners`).

    Raises:
        ApplianceNotRunning: the appliance does not run, or does not run this service.
    """
    try:
        return recorded_listener(paths, service).url
    except UnprovenListener as error:
        raise ApplianceNotRunning(error.message, hint="appliance up") from error


def _damaged(paths: Paths, reason: str) -> ConfigError:
    return ConfigError(
        f"{paths.ports_file} is damaged: {reason}, expected service names with ports",
        code="config.ports",
        hint="appliance up chooses ports and writes it anew",
    )
