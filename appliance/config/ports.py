"""TCP ports of this home's services, as the supervisor chose them."""

from __future__ import annotations

import json

from appliance.config.paths import Paths, write_atomically
from appliance.errors import ApplianceNotRunning


def read_ports(paths: Paths) -> dict[str, int]:
    """Return service name -> port on 127.0.0.1; empty before the first start."""
    try:
        recorded = json.loads(paths.ports_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {str(name): int(port) for name, port in recorded.items()}


def write_ports(paths: Paths, ports: dict[str, int]) -> None:
    """Record the ports chosen for this home."""
    write_atomically(paths.ports_file, json.dumps(ports, indent=2) + "\n")


def service_url(paths: Paths, service: str) -> str:
    """Return `http://127.0.0.1:<port>` of `mlflow`, `airflow` or `simulator`.

    Raises:
        ApplianceNotRunning: no port was ever chosen for it in this home.
    """
    port = read_ports(paths).get(service)
    if port is None:
        raise ApplianceNotRunning(
            f"{service} has never been started in {paths.home}", hint="appliance up"
        )
    return f"http://127.0.0.1:{port}"
