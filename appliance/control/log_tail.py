"""The last lines of a log file, read from its end."""

from __future__ import annotations

from pathlib import Path

_BLOCK_BYTES = 65_536


def tail(path: Path, lines: int) -> list[str]:
    """Return the last `lines` lines, oldest first; empty when there is no file yet."""
    try:
        with path.open("rb") as file:
            position = file.seek(0, 2)
            kept = b""
            while position > 0 and kept.count(b"\n") <= lines:
                step = min(_BLOCK_BYTES, position)
                position = file.seek(position - step)
                kept = file.read(step) + kept
    except FileNotFoundError:
        return []
    return kept.decode("utf-8", errors="replace").splitlines()[-lines:]
