"""Proof that who listens on a port is a service of this home.

A port proves nothing: any user of the machine, or another home, may have taken it. The supervisor opens
the listening socket of each TCP service itself and records its inode in the run folder, which only this
user can write. An inode names one socket for its whole life, so a client proves whom it has reached:

    listener = recorded_listener(paths, "mlflow")   # before connecting
    connection = socket.create_connection(listener.address)
    prove(listener)                                 # after connecting, before sending a byte

The socket listened when it was recorded and still does, so it is the one that took the connection.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from appliance.config.loopback import HOST, describe_holder, listening_sockets
from appliance.config.paths import Paths, write_atomically
from appliance.errors import ServiceError, TransientError

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_HINT = "appliance status"
_own: dict[Path, Listener] = {}


class UnprovenListener(ServiceError, TransientError):
    """Nobody, or somebody else, listens where a service of this home is expected."""

    code_default = "listener.unproven"


@dataclass(frozen=True, slots=True)
class Listener:
    """The listening socket that the supervisor holds open for a service."""

    service: str
    port: int
    inode: int
    uid: int

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return HOST, self.port

    @property
    def url(self) -> str:
        """`http://127.0.0.1:<port>`."""
        return f"http://{HOST}:{self.port}"


def record_listeners(paths: Paths, listeners: Iterable[Listener]) -> None:
    """Record the sockets that listen for this home's services, in place of any earlier ones."""
    record = {"boot": _boot_id(), "listeners": [asdict(listener) for listener in listeners]}
    write_atomically(paths.listeners_file, json.dumps(record, indent=2) + "\n")


def forget_listeners(paths: Paths) -> None:
    """Remove the record: nobody serves this home any more."""
    paths.listeners_file.unlink(missing_ok=True)


def recorded_listener(paths: Paths, service: str) -> Listener:
    """Return the listener of a service, to be proven once a connection to it is open.

    Raises:
        UnprovenListener: the appliance does not run, or does not run this service.
    """
    for listener in recorded_listeners(paths):
        if listener.service == service:
            return listener
    raise UnprovenListener(
        f"{service} of {paths.home} does not run: no listener of it is recorded",
        hint=_HINT,
        service=service,
    )


def listener_at(paths: Paths, service: str, address: tuple[str, int | None]) -> Listener:
    """Return the listener of a service that a connection to this address is meant for.

    Raises:
        UnprovenListener: it does not run, or listens elsewhere.
    """
    listener = recorded_listener(paths, service)
    if listener.address == address:
        return listener
    raise UnprovenListener(
        f"{service} of {paths.home} listens on {HOST}:{listener.port}, not on "
        f"{address[0]}:{address[1]}",
        hint=_HINT,
        service=service,
    )


def prove(listener: Listener) -> None:
    """Return when a connection opened since the listener was read has reached that very listener.

    Raises:
        UnprovenListener: the port is closed or somebody else's; says whose.
    """
    is_taken = False
    for found in listening_sockets(listener.port):
        if (found.address, found.inode, found.uid) == (HOST, listener.inode, listener.uid):
            return
        is_taken = True
    holder = describe_holder(listener.port) if is_taken else "nobody"
    raise UnprovenListener(
        f"{HOST}:{listener.port} is not this home's {listener.service}: "
        f"socket {listener.inode} of its supervisor is expected there, {holder} listens",
        hint=_HINT,
        service=listener.service,
        port=listener.port,
    )


@contextmanager
def serving_here(paths: Paths, listener: Listener) -> Iterator[None]:
    """Take a listener that this process itself has opened for the home's, in this process alone."""
    _own[paths.home] = listener
    try:
        yield
    finally:
        del _own[paths.home]


def connect_proven(paths: Paths, service: str, seconds: float) -> socket.socket:
    """Return a connection to a service of this home.

    Raises:
        UnprovenListener: somebody else listens there, or the service does not run.
        OSError: refused or too slow.
    """
    listener = recorded_listener(paths, service)
    connection = socket.create_connection(listener.address, timeout=seconds)
    try:
        prove(listener)
    except BaseException:
        connection.close()
        raise
    return connection


def recorded_listeners(paths: Paths) -> list[Listener]:
    """Return all that were recorded since the machine was booted; inodes of another boot mean nothing.

    Raises:
        UnprovenListener: the record is damaged.
    """
    if paths.home in _own:
        return [_own[paths.home]]
    try:
        record = json.loads(paths.listeners_file.read_text(encoding="utf-8"))
        if record["boot"] != _boot_id():
            return []
        return [Listener(**fields) for fields in record["listeners"]]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise UnprovenListener(
            f"{paths.listeners_file} cannot be read: it is written by the supervisor as JSON",
            hint="appliance down && appliance up writes it anew",
        ) from error


def _boot_id() -> str:
    return _BOOT_ID.read_text(encoding="ascii").strip()
