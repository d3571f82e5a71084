"""What `/proc` says about processes and their sessions.

The guard imports this module, so it uses nothing but `os`: each further import costs memory that
the guard holds for as long as the appliance runs.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class ProcessEntry:
    """One process.

    `started` is its start time in clock ticks since boot: together with the pid it names a process
    for good, while a pid alone is reused. `session` is the pid of its session's leader.
    """

    __slots__ = ("parent", "pid", "session", "started", "state")

    def __init__(self, pid: int, state: str, parent: int, session: int, started: int) -> None:
        self.pid = pid
        self.state = state
        self.parent = parent
        self.session = session
        self.started = started

    @property
    def is_zombie(self) -> bool:
        """Whether it has ended and only waits to be reaped."""
        return self.state in {"Z", "X"}


def read_process(pid: int) -> ProcessEntry | None:
    """Return a process, None when there is none with that pid."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            text = file.read().decode("ascii", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name is in parentheses and may itself contain parentheses and spaces.
    fields = text[text.rindex(")") + 2 :].split()
    return ProcessEntry(pid, fields[0], int(fields[1]), int(fields[3]), int(fields[19]))


def all_processes() -> Iterator[ProcessEntry]:
    """Yield every process of the machine that this user may see."""
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            entry = read_process(int(name))
            if entry is not None:
                yield entry


def session_members(leader: int, since: int = 0) -> list[ProcessEntry]:
    """Return the living processes of a session and their descendants, leader included.

    A member that has left its process group is still found, unlike with `killpg`; so is one that
    began a session of its own (PostgreSQL's children do), as long as its parent lives. Processes
    started before `since` are not counted.
    """
    entries = [entry for entry in all_processes() if entry.started >= since]
    members = {entry.pid for entry in entries if entry.session == leader}
    while True:
        children = {entry.pid for entry in entries if entry.parent in members} - members
        if not children:
            break
        members |= children
    return [entry for entry in entries if entry.pid in members and not entry.is_zombie]


def child_states(pid: int, title: str) -> list[str]:
    """Return the state letters of a process's living children whose command line begins so."""
    states = []
    for child in _children(pid):
        entry = read_process(child)
        if entry is not None and not entry.is_zombie and _command_line(child).startswith(title):
            states.append(entry.state)
    return states


def _children(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:  # noqa: PTH123
            return [int(child) for child in file.read().split()]
    except OSError:  # a kernel without this list
        return [entry.pid for entry in all_processes() if entry.parent == pid]


def _command_line(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123
            return file.read().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


def has_environment(pid: int, assignment: bytes, *, is_whole: bool = True) -> bool:
    """Return whether a process was started with `NAME=value` in its environment.

    `is_whole` False: with one that begins so.
    """
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123
            entries = file.read().split(b"\0")
    except OSError:
        return False
    if is_whole:
        return assignment in entries
    return any(entry.startswith(assignment) for entry in entries)


def boot_id() -> str:
    """Return an identifier that changes with every boot of the machine."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123
        return file.read().strip()
