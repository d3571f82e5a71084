"""The listening socket of a service, which the supervisor holds for its whole life.

The port stays this home's whatever happens to the service's processes. While none of them serves, the
door is shut: who connects is turned away at once, so that nobody waits in vain and no request is
carried out later by a process that its sender knows nothing of.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Mapping

from appliance.config.handover import handed_over
from appliance.config.listeners import Listener
from appliance.config.loopback import HOST

_BACKLOG = 2048
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset


class Door:
    """A socket that listens on 127.0.0.1 for one service.

    Raises:
        OSError: the port is taken or not allowed.
    """

    def __init__(self, service: str, port: int) -> None:
        self.service = service
        self._socket = _listen(port)
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def port(self) -> int:
        """The port, also when any free one was asked for."""
        return int(self._socket.getsockname()[1])

    @property
    def address(self) -> str:
        """`127.0.0.1:<port>`."""
        return f"{HOST}:{self.port}"

    @property
    def descriptor(self) -> int:
        """The socket's file descriptor, the same for its whole life."""
        return self._socket.fileno()

    @property
    def listener(self) -> Listener:
        """What clients are to find on the port."""
        inode = os.fstat(self.descriptor).st_ino
        return Listener(self.service, self.port, inode, os.getuid())

    def shut(self) -> None:
        """Turn away whoever connects, from now on; call in a running loop."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self.descriptor, self.turn_away)

    def open(self) -> None:
        """Leave connections to the service's process."""
        if self._loop is not None:
            self._loop.remove_reader(self.descriptor)
            self._loop = None

    def close(self) -> None:
        """Give the port up; again does nothing."""
        self.open()
        self._socket.close()

    def turn_away(self) -> None:
        """Close the connections that wait."""
        self._socket.setblocking(False)  # the process shares this flag, and may have changed it
        for _ in range(_BACKLOG):
            try:
                connection, _address = self._socket.accept()
            except OSError:  # nobody waits, or the client has gone again
                return
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            connection.close()


class Serving:
    """One process behind a door: the door opens when the process says that it accepts connections.

    Args:
        door: shut until then, and again from `end` on.
    """

    def __init__(self, door: Door) -> None:
        self._door = door
        door.turn_away()  # what was meant for an earlier process
        self._reader, self._writer = os.pipe()
        self._loop = asyncio.get_running_loop()

    @property
    def environment(self) -> Mapping[str, str]:
        """What tells the process of the descriptors."""
        return handed_over(self._door.descriptor, self._writer)

    @property
    def descriptors(self) -> tuple[int, int]:
        """What the process inherits."""
        return self._door.descriptor, self._writer

    def begin(self) -> None:
        """Listen for the announcement; the process has its descriptors."""
        self._close_writer()
        self._loop.add_reader(self._reader, self._on_announcement)

    def end(self) -> None:
        """Shut the door."""
        self._stop_reading()
        self._close_writer()
        self._door.shut()

    def _on_announcement(self) -> None:
        is_announced = bool(os.read(self._reader, 1))
        self._stop_reading()
        if is_announced:
            self._door.open()

    def _close_writer(self) -> None:
        if self._writer >= 0:
            os.close(self._writer)
            self._writer = -1

    def _stop_reading(self) -> None:
        if self._reader >= 0:
            self._loop.remove_reader(self._reader)
            os.close(self._reader)
            self._reader = -1


def _listen(port: int) -> socket.socket:
    # Connections inherit TCP_NODELAY; asyncio would set it only where the protocol is named.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind((HOST, port))
        # Two sockets may be bound to one port until one of them listens: only this makes it ours.
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener
