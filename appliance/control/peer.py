"""Who is at the other end of the control socket: what the kernel says counts, not what the client claims."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass, replace
from typing import cast

from uvicorn.protocols.http.h11_impl import H11Protocol

from appliance.config.whoami import host_name, login_name, user_name
from appliance.domain.origin import Origin, Through

PEER = "peer"
"""The request's state of this name holds the `Peer`."""
_CREDENTIALS = struct.Struct("3i")
_FRONT_ENDS = (Through.CONSOLE, Through.COMMAND)


@dataclass(frozen=True, slots=True)
class Peer:
    """The process that has connected."""

    pid: int
    uid: int


class PeerProtocol(H11Protocol):
    """HTTP on a unix socket; each request's state names the peer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Ask the kernel who has connected."""
        connection = cast("socket.socket", transport.get_extra_info("socket"))
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, _ = _CREDENTIALS.unpack(raw)
        self.app_state = {**self.app_state, PEER: Peer(pid, uid)}
        super().connection_made(transport)


def vouched(claimed: Origin, peer: Peer) -> Origin:
    """Return who really asks: user, login and host are looked up, terminal and SSH client as claimed.

    Only a front end speaks on the socket: a claim to be a workflow, or to act for one, is dropped.
    """
    return replace(
        claimed,
        name=user_name(peer.uid),
        login=login_name(peer.pid),
        host=host_name(),
        through=claimed.through if claimed.through in _FRONT_ENDS else Through.COMMAND,
        run_id="",
        cause=None,
    )
