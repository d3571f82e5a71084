"""One service's log: appended line by line, rotated by size, secrets blotted out."""

from __future__ import annotations

import os
import re
import shutil
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

ROTATE_BYTES = 5_000_000
KEPT_FILES = 3
LONGEST_LINE = 16_384
"""Bytes after which an unfinished line is written anyway."""
_TAIL_LINES = 20
_ERROR = re.compile(r"[^(\s].*(error|exception|fatal)\b", re.IGNORECASE)


class LogFile:
    """Writes whole lines to `path`; at `rotate_bytes` it becomes `path.1`, that `path.2`, and so on.

    Every occurrence of one of `secrets` is replaced by `***`.
    """

    def __init__(
        self,
        path: Path,
        *,
        secrets: Sequence[str] = (),
        rotate_bytes: int = ROTATE_BYTES,
        kept_files: int = KEPT_FILES,
    ) -> None:
        self._path = path
        self._secrets = tuple(secret.encode() for secret in secrets if secret)
        self._rotate_bytes = rotate_bytes
        self._kept_files = kept_files
        self._pending = b""
        self._recent: deque[bytes] = deque(maxlen=_TAIL_LINES)
        self._file = self._open()

    @property
    def last_words(self) -> str:
        """The newest of the last lines that names an error, else the last line, else ""."""
        lines = [line.decode("utf-8", "replace").strip() for line in reversed(self._recent)]
        told = [line for line in lines if line]
        return next((line for line in told if _ERROR.match(line)), told[0] if told else "")

    def write(self, chunk: bytes) -> None:
        """Append output; an unfinished last line waits for its end."""
        *lines, self._pending = (self._pending + chunk).split(b"\n")
        if lines:
            self._write_lines(lines)
        if len(self._pending) > LONGEST_LINE:
            self.flush()

    def note(self, text: str) -> None:
        """Append a line of the supervisor's own."""
        self.flush()
        self._emit(f"--- {text} ---\n".encode())

    def flush(self) -> None:
        """Write the unfinished last line."""
        if self._pending:
            line, self._pending = self._pending, b""
            self._write_lines([line])

    def close(self) -> None:
        """Write what is pending and close."""
        self.flush()
        self._file.close()

    def _open(self) -> BinaryIO:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        return os.fdopen(os.open(self._path, flags, 0o600), "ab", buffering=0)

    def _write_lines(self, lines: Sequence[bytes]) -> None:
        text = b"\n".join(lines)
        for secret in self._secrets:
            text = text.replace(secret, b"***")
        self._recent.extend(text.split(b"\n")[-_TAIL_LINES:])
        self._emit(text + b"\n")

    def _emit(self, text: bytes) -> None:
        if self._file.tell() > self._rotate_bytes:
            self._rotate()
        self._file.write(text)

    def _rotate(self) -> None:
        self._file.close()
        rotate(self._path, self._kept_files, 0)
        self._file = self._open()


def rotate(path: Path, kept_files: int = KEPT_FILES, above_bytes: int = ROTATE_BYTES) -> None:
    """Rename `path` to `path.1`, that to `path.2` and so on, when it is larger than `above_bytes`."""
    if not path.exists() or path.stat().st_size <= above_bytes:
        return
    for number in range(kept_files - 1, 0, -1):
        older = _numbered(path, number)
        if older.exists():
            older.replace(_numbered(path, number + 1))
    path.replace(_numbered(path, 1))


def copy_truncate(path: Path, above_bytes: int = ROTATE_BYTES) -> None:
    """Rotate a log that a process keeps open for appending: copy it to `path.1` and empty it."""
    if path.exists() and path.stat().st_size > above_bytes:
        shutil.copyfile(path, _numbered(path, 1))
        os.truncate(path, 0)


def all_parts(path: Path) -> list[Path]:
    """Return the files that a log may consist of, the oldest first."""
    return [_numbered(path, number) for number in range(KEPT_FILES, 0, -1)] + [path]


def read_tail(path: Path, lines: int) -> list[str]:
    """Return the last `lines` lines of a log, reaching into the rotated one when it is short."""
    collected: list[str] = []
    for candidate in (path, _numbered(path, 1)):
        if len(collected) < lines and candidate.exists():
            collected = _last_lines(candidate, lines - len(collected)) + collected
    return collected


def _last_lines(path: Path, lines: int) -> list[str]:
    with path.open("rb") as file:
        position = file.seek(0, os.SEEK_END)
        content = b""
        while position > 0 and content.count(b"\n") <= lines:
            step = min(65_536, position)
            position = file.seek(position - step)
            content = file.read(step) + content
    return content.decode("utf-8", "replace").splitlines()[-lines:] if lines > 0 else []


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
