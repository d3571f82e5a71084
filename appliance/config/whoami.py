"""Who uses this process, as the operating system knows it."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import socket
from pathlib import Path

from appliance.domain.origin import Origin, Through

_ADDRESS = re.compile(r"[0-9A-Fa-f:.%]{2,64}")
_NO_LOGIN = 2**32 - 1  # what the kernel says of a process that nobody's login has started


def local_origin(through: Through) -> Origin:
    """Return who sits before this process: user, login, terminal, host, and where SSH comes from."""
    words = os.environ.get("SSH_CONNECTION", "").split()
    client = words[0] if words and _ADDRESS.fullmatch(words[0]) else ""
    return Origin(
        user_name(os.getuid()),
        through,
        login=login_name(os.getpid()),
        terminal=_terminal(),
        host=host_name(),
        client=client,
    )


def user_name(uid: int) -> str:
    """Return the name of a user of this machine; one without a name is `uid N`."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def login_name(pid: int) -> str:
    """Return who logged in to start a process, whoever they have become by su or sudo; "" when nobody did."""
    try:
        uid = int(Path(f"/proc/{pid}/loginuid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return ""
    return "" if uid == _NO_LOGIN else user_name(uid)


def host_name() -> str:
    """Return the name of this machine, without its domain."""
    return socket.gethostname().partition(".")[0]


def _terminal() -> str:
    for descriptor in (0, 1, 2):
        with contextlib.suppress(OSError):
            return os.ttyname(descriptor).removeprefix("/dev/")
    return ""
