"""Opens the TCP listeners of a home: on the configured ports, or on others when a default is lost.

Opening is choosing: a port that is only looked at may be somebody else's when the service binds it.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from appliance.config.listeners import (
    UnprovenListener,
    prove,
    record_listeners,
    recorded_listeners,
)
from appliance.config.loopback import describe_holder
from appliance.config.paths import Paths
from appliance.config.ports import read_ports, write_ports
from appliance.config.settings import AirflowSettings, MlflowSettings, Settings, SimulatorSettings
from appliance.errors import ConfigError, ServiceError
from appliance.supervisor.door import Door

LEFTOVER_SECONDS = 20.0
"""How long to wait for a port that a killed supervisor's guard still keeps for this home."""


@dataclass(frozen=True, slots=True)
class Doors:
    """Service name to its door, and a sentence for each thing that the operator should know."""

    by_service: Mapping[str, Door]
    notes: tuple[str, ...] = ()

    @property
    def ports(self) -> dict[str, int]:
        """Service name to port."""
        return {service: door.port for service, door in self.by_service.items()}

    def close(self) -> None:
        """Give all ports up."""
        for door in self.by_service.values():
            door.close()


@dataclass(frozen=True, slots=True)
class _Wish:
    """A service's configured port (0: any), and whether the operator insists on it."""

    service: str
    port: int
    is_explicit: bool


def open_doors(paths: Paths, settings: Settings, *, has_simulator: bool) -> Doors:
    """Open and record the listeners of this home; blocks; call with the home's lock held.

    A port that was not set is the one of the last start, else the default, else any free one.

    Raises:
        ServiceError: a port set in the configuration cannot be had; says who has it.
    """
    doors: dict[str, Door] = {}
    notes: list[str] = []
    chosen: list[str] = []
    try:
        recorded = read_ports(paths)
    except ConfigError as error:
        recorded = {}
        notes.append(f"{error.message}; it was written anew")
    try:
        for wish in _wishes(settings, has_simulator):
            door, note = _open(paths, wish, recorded.pop(wish.service, 0))
            doors[wish.service] = door
            chosen += [] if wish.is_explicit else [wish.service]
            notes += [note] if note else []
    except BaseException:
        Doors(doors).close()
        raise
    opened = Doors(doors, tuple(notes))
    write_ports(paths, recorded | {name: opened.ports[name] for name in chosen})
    record_listeners(paths, [door.listener for door in doors.values()])
    return opened


def _wishes(settings: Settings, has_simulator: bool) -> Iterator[_Wish]:
    sections: list[tuple[str, MlflowSettings | AirflowSettings | SimulatorSettings]]
    sections = [("mlflow", settings.mlflow), ("airflow", settings.airflow)]
    if has_simulator:
        sections.append(("simulator", settings.simulator))
    for service, section in sections:
        is_set = "port" in section.model_fields_set and section.port != 0
        yield _Wish(service, section.port, is_set)


def _open(paths: Paths, wish: _Wish, recorded: int) -> tuple[Door, str]:
    """Open a wish's door; the note is "" unless the port is another than one would expect."""
    if wish.is_explicit:
        try:
            return _patient(paths, wish.service, wish.port), ""
        except OSError as error:
            raise _refused(wish, error) from error
    lost: list[str] = []
    for port in dict.fromkeys((recorded or wish.port, wish.port, 0)):
        try:
            door = _patient(paths, wish.service, port)
        except OSError:
            lost.append(f"{port} is taken by {describe_holder(port)}")
        else:
            moved = f"{wish.service} is on port {door.port}: {', '.join(lost)}"
            return door, moved if lost else ""
    raise ServiceError(f"no port of 127.0.0.1 is free for {wish.service}: {', '.join(lost)}")


def _patient(paths: Paths, service: str, port: int) -> Door:
    """Open a door, waiting while what a killed supervisor left of this home still has the port."""
    deadline = time.monotonic() + LEFTOVER_SECONDS
    while True:
        try:
            return Door(service, port)
        except OSError as error:
            is_left = error.errno == errno.EADDRINUSE and _is_left_over(paths, port)
            if not is_left or time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def _is_left_over(paths: Paths, port: int) -> bool:
    try:
        for listener in recorded_listeners(paths):
            if listener.port == port:
                prove(listener)
                return True
    except UnprovenListener:
        return False
    return False


def _refused(wish: _Wish, error: OSError) -> ServiceError:
    is_taken = error.errno == errno.EADDRINUSE
    reason = f"is taken by {describe_holder(wish.port)}" if is_taken else _reason(error)
    return ServiceError(
        f"port {wish.port} for {wish.service} {reason}",
        code="service.port_taken" if is_taken else "service.port",
        hint=f"{'stop that program, or ' if is_taken else ''}set another [{wish.service}] port "
        "in compose/appliance.toml",
        port=wish.port,
    )


def _reason(error: OSError) -> str:
    return f"cannot be opened: {os.strerror(error.errno or 0)}"
