"""Who listens on the TCP ports of this machine's loopback, as the kernel tells it."""

from __future__ import annotations

import pwd
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance.config import sock_diag

HOST = "127.0.0.1"
_TABLES = {socket.AF_INET: Path("/proc/net/tcp"), socket.AF_INET6: Path("/proc/net/tcp6")}
_LISTEN = "0A"


@dataclass(frozen=True, slots=True)
class ListeningSocket:
    """A socket in state LISTEN; `inode` names it for its whole life."""

    address: str
    port: int
    uid: int
    inode: int


def listening_sockets(port: int) -> Iterator[ListeningSocket]:
    """Yield the sockets that listen on a port of any address, IPv4 first."""
    for family, table in _TABLES.items():
        try:
            found = sock_diag.listening(family, port)
        except OSError:
            found = _listed(family, table, port)
        for address, uid, inode in found:
            yield ListeningSocket(address, port, uid, inode)


def _listed(family: socket.AddressFamily, table: Path, port: int) -> list[tuple[str, int, int]]:
    """Read from /proc what a sandbox keeps netlink from telling."""
    try:
        rows = table.read_text(encoding="ascii").splitlines()[1:]
    except FileNotFoundError:
        return []
    suffix = f":{port:04X}"
    columns = (row.split(None, 10) for row in rows)
    return [
        (_address(family, fields[1].removesuffix(suffix)), int(fields[7]), int(fields[9]))
        for fields in columns
        if fields[1].endswith(suffix) and fields[3] == _LISTEN
    ]


def _address(family: socket.AddressFamily, hexadecimal: str) -> str:
    """Return an address that /proc shows as words of the machine's byte order."""
    words = [int(hexadecimal[at : at + 8], 16) for at in range(0, len(hexadecimal), 8)]
    return socket.inet_ntop(family, struct.pack(f"={len(words)}I", *words))


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
