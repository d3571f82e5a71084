"""TCP ports of this home: the configured ones, or free ones when a default is taken."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

from appliance.config.loopback import HOST, describe_holder
from appliance.config.paths import Paths
from appliance.config.ports import read_ports, write_ports
from appliance.config.settings import AirflowSettings, MlflowSettings, Settings
from appliance.errors import ServiceError


@dataclass(frozen=True, slots=True)
class PortChoice:
    """Service name to port, and a sentence for each default that was taken."""

    ports: dict[str, int]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Wish:
    """A service's configured port, and whether the operator insists on it."""

    service: str
    section: str
    port: int
    is_explicit: bool


def choose_ports(paths: Paths, settings: Settings, *, has_simulator: bool) -> PortChoice:
    """Choose and record the ports of this home.

    A default that is taken gives way to the port recorded at an earlier start, or to any free one.

    Raises:
        ServiceError: a port set in the configuration is taken; says by whom.
    """
    recorded = read_ports(paths)
    ports: dict[str, int] = {}
    notes: list[str] = []
    for wish in _wishes(settings, has_simulator):
        port, note = _choose(wish, recorded.get(wish.service, 0), set(ports.values()))
        ports[wish.service] = port
        if note:
            notes.append(note)
    write_ports(paths, recorded | ports)
    return PortChoice(ports, tuple(notes))


def _wishes(settings: Settings, has_simulator: bool) -> Iterator[_Wish]:
    mlflow, airflow, simulator = (
        settings.mlflow.port,
        settings.airflow.port,
        settings.simulator.port,
    )
    yield _Wish("mlflow", "mlflow", mlflow, mlflow not in {0, MlflowSettings().port})
    yield _Wish("airflow", "airflow", airflow, airflow not in {0, AirflowSettings().port})
    if has_simulator:
        yield _Wish("simulator", "simulator", simulator, simulator != 0)


def _choose(wish: _Wish, recorded: int, used: set[int]) -> tuple[int, str]:
    if wish.port and wish.port not in used and is_free(wish.port):
        return wish.port, ""
    if wish.is_explicit:
        raise ServiceError(
            f"port {wish.port} for {wish.service} is taken by {describe_holder(wish.port)}",
            code="service.port_taken",
            hint=f"stop that program, or set another [{wish.section}] port in compose/appliance.toml",
            port=wish.port,
        )
    is_usable = recorded and recorded not in used and is_free(recorded)
    port = recorded if is_usable else _any_free(used)
    if not wish.port:
        return port, ""
    holder = describe_holder(wish.port)
    return port, f"{wish.service} is on port {port}: {wish.port} is taken by {holder}"


def is_free(port: int) -> bool:
    """Return whether a server could listen on this port of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do: connections of an earlier run that linger do not make it taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
        return True


def _any_free(used: set[int]) -> int:
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((HOST, 0))
            port = int(probe.getsockname()[1])
        if port not in used:
            return port
