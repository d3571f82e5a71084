"""Which processes have a file open and locked, by what the kernel says."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROGRAM_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class FileHolder:
    """A process that holds a lock on a file; `program` is its command line, `user` its owner."""

    pid: int
    program: str
    user: str
    file: Path

    def __str__(self) -> str:
        """Return it in words, such as `process 812 (duckdb appliance.duckdb, user alice)`."""
        known = ", ".join(
            part for part in (self.program, self.user and f"user {self.user}") if part
        )
        return f"process {self.pid} ({known})" if known else f"process {self.pid}"


def file_holders(*files: Path) -> list[FileHolder]:
    """Return the processes that hold a lock on any of the files, `flock` or `fcntl`."""
    holders: dict[int, FileHolder] = {}
    locks = list(_locks())
    for file in files:
        try:
            inode = file.stat().st_ino
        except OSError:
            continue
        for pid in (pid for pid, locked in locks if locked == inode):
            if _has_open(pid, file):
                holders.setdefault(pid, _describe(pid, file))
    return list(holders.values())


def _locks() -> Iterator[tuple[int, int]]:
    """Yield process id and inode of each lock that is held, `1: FLOCK ADVISORY WRITE 812 08:01:77 0 EOF`."""
    try:
        rows = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return
    for row in rows:
        fields = row.split()
        if len(fields) >= 6 and fields[1] != "->" and fields[4].isdigit():
            yield int(fields[4]), int(fields[5].rpartition(":")[2])


def _has_open(pid: int, file: Path) -> bool:
    """Return whether a process has the file open: another file system may have the same inode.

    True as well where this user may not see it.
    """
    folder = f"/proc/{pid}/fd"
    try:
        return any(_is_same(f"{folder}/{name}", file) for name in os.listdir(folder))  # noqa: PTH208
    except PermissionError:
        return True
    except OSError:
        return False


def _is_same(link: str, file: Path) -> bool:
    try:
        return os.path.samefile(link, file)  # noqa: PTH121
    except OSError:
        return False


def _describe(pid: int, file: Path) -> FileHolder:
    process = Path("/proc", str(pid))
    try:
        words = process.joinpath("cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        user = pwd.getpwuid(process.stat().st_uid).pw_name
    except (OSError, KeyError):
        return FileHolder(pid, "", "", file)
    program = " ".join(" ".join([Path(words[0]).name, *words[1:]]).split())
    return FileHolder(pid, program[:_PROGRAM_CHARACTERS], user, file)
