"""Takes a server of a test for a service of a home."""

from __future__ import annotations

import os

from appliance.config.listeners import Listener, record_listeners, recorded_listeners
from appliance.config.loopback import listening_sockets
from appliance.config.paths import Paths


def announce(paths: Paths, service: str, port: int) -> None:
    """Record whoever listens on a port, or nobody, as a service of the home; others stay recorded."""
    found = next(listening_sockets(port), None)
    listener = Listener(service, port, found.inode if found else 0, os.getuid())
    others = [other for other in recorded_listeners(paths) if other.service != service]
    record_listeners(paths, [*others, listener])
