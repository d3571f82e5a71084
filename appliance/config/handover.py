"""How a listening socket is handed to the process that serves on it.

Who opened the socket passes its descriptor and that of a pipe; the process writes one byte into the pipe
when it accepts connections.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

VARIABLE = "APPLIANCE_LISTENER"


def handed_over(listener: int, announcement: int) -> dict[str, str]:
    """Return the environment of a process that inherits both descriptors under the same numbers."""
    return {VARIABLE: f"{listener},{announcement}"}


@dataclass(frozen=True, slots=True)
class InheritedListener:
    """A listening socket opened by the parent process, and the pipe that it reads."""

    socket: socket.socket
    announcement: int

    def announce(self) -> None:
        """Tell the parent that connections are accepted from now on; once."""
        os.write(self.announcement, b"+")
        os.close(self.announcement)


def inherited_listener() -> InheritedListener | None:
    """Return the listener that this process was started with, None when there is none; once."""
    text = os.environ.pop(VARIABLE, "")
    if not text:
        return None
    listener, announcement = map(int, text.split(","))
    os.set_inheritable(listener, False)
    os.set_inheritable(announcement, False)
    return InheritedListener(socket.socket(fileno=listener), announcement)
