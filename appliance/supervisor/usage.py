"""What the services' processes take of the machine: CPU, memory, written bytes; read from `/proc`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from appliance.supervisor.procfs import ProcessEntry, all_processes, read_process
from appliance.supervisor.sessions import SessionRecord

_TICKS = os.sysconf("SC_CLK_TCK")
SUPERVISOR = "supervisor"


@dataclass(frozen=True, slots=True)
class Reading:
    """The processes of a service at one instant.

    `cpu_seconds` and `written` count since their start, ended children included; `memory` is the
    proportional set size in bytes, which counts a shared page once over all processes.
    """

    leader: int
    cpu_seconds: float
    memory: int
    written: int


def read_usage(records: Sequence[SessionRecord]) -> dict[str, Reading]:
    """Return the reading of each service that has a living process, and of this process; blocks.

    All processes are listed once: a session's members and their descendants belong to its service.
    """
    entries = list(all_processes())
    own = read_process(os.getpid())
    found = {} if own is None else {SUPERVISOR: _reading(own.pid, [own])}
    for record in records:
        members = _members(record, entries)
        if members:
            found[record.name] = _reading(record.leader, members)
    return found


def _members(record: SessionRecord, entries: Sequence[ProcessEntry]) -> list[ProcessEntry]:
    alive = [entry for entry in entries if entry.started >= record.started and not entry.is_zombie]
    members = {entry.pid for entry in alive if entry.session == record.leader}
    while True:
        children = {entry.pid for entry in alive if entry.parent in members} - members
        if not children:
            return [entry for entry in alive if entry.pid in members]
        members |= children


def _reading(leader: int, members: Iterable[ProcessEntry]) -> Reading:
    pids = [member.pid for member in members]
    return Reading(
        leader,
        sum(_cpu_seconds(pid) for pid in pids),
        sum(_number(f"/proc/{pid}/smaps_rollup", "Pss:") * 1024 for pid in pids),
        sum(_number(f"/proc/{pid}/io", "write_bytes:") for pid in pids),
    )


def _cpu_seconds(pid: int) -> float:
    """Return user and system time with that of children that were waited for; 0 of one that has ended."""
    fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS if len(fields) > 14 else 0.0


def _number(path: str, name: str) -> int:
    for line in _text(path).splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return ""
