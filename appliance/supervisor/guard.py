"""Outlives a supervisor that is killed, and then stops what it has left.

A process of a few megabytes that reads a pipe from the supervisor. A byte means that everything was
stopped in order; end of file without one means that the supervisor died.
"""

from __future__ import annotations

import os
import signal
import sys

GRACE_SECONDS = 8.0
"""Time for the services to stop by themselves before SIGKILL."""

FAREWELL = b"q"
"""What the supervisor sends when nothing needs guarding any more."""


def main() -> None:
    """Guard the supervisor `argv[1]` whose sessions are recorded in `argv[2]`; pipe on stdin."""
    supervisor, sessions_file = int(sys.argv[1]), sys.argv[2]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if os.read(0, 1) == FAREWELL:
        return
    from appliance.supervisor.sessions import read_records, stop_sessions

    stop_sessions(read_records(sessions_file, supervisor), GRACE_SECONDS)
