"""Process sessions of the running services: recorded on disk, stopped as a whole.

Used by the supervisor, by the guard that outlives it, and by the next start. Imports little for
the guard's sake.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from appliance.supervisor.procfs import boot_id, read_process, session_members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from appliance.supervisor.procfs import ProcessEntry

POLL_SECONDS = 0.05
REST_GRACE_SECONDS = 2.0
"""How long the others of a session may go on once its leader has ended."""
KILL_PATIENCE_SECONDS = 10.0
"""How long SIGKILL is repeated before a session is reported as not stoppable."""


class SessionRecord:
    """One service's session; `leader` is its pid, `started` that process' start in clock ticks."""

    __slots__ = ("grace", "leader", "name", "started", "stop_signal")

    def __init__(
        self, name: str, leader: int, started: int, stop_signal: int, grace: float
    ) -> None:
        self.name = name
        self.leader = leader
        self.started = started
        self.stop_signal = stop_signal
        self.grace = grace

    def members(self) -> list[ProcessEntry]:
        """Return the living processes; none when the leader's pid belongs to another by now."""
        leader = read_process(self.leader)
        if leader is not None and leader.started != self.started:
            return []
        return session_members(self.leader, since=self.started)


def write_records(path: str, supervisor: int, records: Sequence[SessionRecord]) -> None:
    """Record the sessions that belong to the supervisor with this pid."""
    import json

    content = {
        "boot_id": boot_id(),
        "supervisor": supervisor,
        "sessions": [
            {name: getattr(record, name) for name in SessionRecord.__slots__} for record in records
        ],
    }
    temporary = f"{path}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
    if os.path.isdir(path):  # noqa: PTH112 - not ours; a file belongs here
        os.replace(path, f"{path}.damaged")  # noqa: PTH105
    os.replace(temporary, path)  # noqa: PTH105


def read_records(path: str, supervisor: int | None = None) -> list[SessionRecord]:
    """Return the recorded sessions of this boot, optionally only those of one supervisor.

    A file that is missing or damaged counts as empty: it is an aid to recovery, not a truth.
    """
    import json

    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            content = json.load(file)
        if content["boot_id"] != boot_id():
            return []
        if supervisor is not None and content["supervisor"] != supervisor:
            return []
        return [_record(session) for session in content["sessions"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        sys.stderr.write(
            f"{path} is damaged and counts as empty: {error or type(error).__name__}\n"
        )
        return []


def _record(session: dict[str, Any]) -> SessionRecord:
    """Return a session as it was written; a wrong type must not reach the signals."""
    if not all(type(session[name]) is int for name in ("leader", "started", "stop_signal")):
        raise ValueError(f"no session: {str(session)[:80]}")
    return SessionRecord(
        str(session["name"]),
        session["leader"],
        session["started"],
        session["stop_signal"],
        float(session["grace"]),
    )


def stop_session(record: SessionRecord, grace: float) -> bool:
    """Stop one session and return whether it is empty; blocks."""
    return not stop_sessions([record], grace)


def stop_sessions(records: Sequence[SessionRecord], grace: float) -> list[str]:
    """Stop sessions side by side until each is empty; return the names of those that are not.

    Leader first, by its own stop signal; when it has gone the rest gets SIGTERM and a moment; at the end
    of `grace` seconds (or of the record's own, when that is shorter; at once when it is 0) SIGKILL
    until nothing is left. Blocks.
    """
    began = time.monotonic()
    stops = [_Stop(record, began + min(grace, record.grace)) for record in records]
    while stops:
        now = time.monotonic()
        stops = [stop for stop in stops if not stop.step(now)]
        if now > began + grace + KILL_PATIENCE_SECONDS:
            break
        if stops:
            time.sleep(POLL_SECONDS)
    return [stop.record.name for stop in stops]


def end_process(pid: int, grace: float = REST_GRACE_SECONDS) -> None:
    """End one process, by SIGKILL when it does not go within `grace` seconds; blocks."""
    entry = read_process(pid)
    if entry is None:
        return
    _send([pid], signal.SIGTERM)
    _send([pid], signal.SIGCONT)
    began = time.monotonic()
    while _is_alive(pid, entry.started) and time.monotonic() < began + KILL_PATIENCE_SECONDS:
        if time.monotonic() > began + grace:
            _send([pid], signal.SIGKILL)
        time.sleep(POLL_SECONDS)


def _is_alive(pid: int, started: int) -> bool:
    entry = read_process(pid)
    return entry is not None and entry.started == started and not entry.is_zombie


class _Stop:
    """The progress of stopping one session."""

    def __init__(self, record: SessionRecord, kill_at: float) -> None:
        self.record = record
        self._kill_at = kill_at
        self._is_asked = False
        self._is_rest_asked = False

    def step(self, now: float) -> bool:
        """Do what is due and return whether the session is empty."""
        members = self.record.members()
        _reap_adopted(self.record.leader)
        if not members:
            return True
        pids = [member.pid for member in members]
        if now >= self._kill_at:
            _send(pids, signal.SIGKILL)
        elif self.record.leader in pids:
            if not self._is_asked:
                self._is_asked = True
                _send([self.record.leader], self.record.stop_signal)
                _send(pids, signal.SIGCONT)  # what a signal has stopped acts on no other
        elif not self._is_rest_asked:
            self._is_rest_asked = True
            self._kill_at = min(self._kill_at, now + REST_GRACE_SECONDS)
            _send(pids, signal.SIGTERM)
            _send(pids, signal.SIGCONT)
        return False


def _send(pids: Sequence[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def _reap_adopted(leader: int) -> None:
    """Reap ended members of a session that this process has adopted, never the leader itself."""
    from appliance.supervisor.procfs import all_processes

    own = os.getpid()
    for entry in all_processes():
        if (
            entry.session == leader
            and entry.is_zombie
            and entry.parent == own
            and entry.pid != leader
        ):
            try:
                os.waitpid(entry.pid, os.WNOHANG)
            except ChildProcessError:
                continue
