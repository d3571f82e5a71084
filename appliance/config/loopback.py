"""Who listens on the TCP ports of this machine's loopback, as the kernel tells it."""

from __future__ import annotations

import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LISTEN = "0A"


@dataclass(frozen=True, slots=True)
class ListeningSocket:
    """A socket in state LISTEN; `inode` names it for its whole life, `address` is the kernel's hex."""

    address: str
    port: int
    uid: int
    inode: int


def listening_sockets(port: int) -> Iterator[ListeningSocket]:
    """Yield the sockets that listen on a port of any address; nothing where /proc hides them."""
    suffix = f":{port:04X}"
    for table in _TABLES:
        try:
            with table.open(encoding="ascii") as rows:
                next(rows, None)
                for row in rows:
                    fields = row.split(None, 10)
                    if fields[1].endswith(suffix) and fields[3] == _LISTEN:
                        address = fields[1].removesuffix(suffix)
                        yield ListeningSocket(address, port, int(fields[7]), int(fields[9]))
        except FileNotFoundError:
            continue


def describe_holder(port: int) -> str:
    """Return who listens on a port, such as `nginx (pid 812, user www)`.

    Another user's processes do not show their sockets to us: then the user alone is named.
    """
    sockets = list(listening_sockets(port))
    if not sockets:
        return "another program"
    user = user_name(sockets[0].uid)
    return _holding_process({item.inode for item in sockets}, user) or f"a program of user {user}"


def user_name(uid: int) -> str:
    """Return the name of a user, the number where nobody has it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _holding_process(inodes: set[int], user: str) -> str:
    links = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(entry.readlink()) in links for entry in (process / "fd").iterdir()):
                name = (process / "comm").read_text(encoding="utf-8").strip()
                return f"{name} (pid {process.name}, user {user})"
        except OSError:
            continue
    return ""
