"""What the console keeps in its folder of the home: the history of `:` and saved screens."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

HISTORY_LINES = 500


@dataclass(frozen=True, slots=True)
class Keeping:
    """The console's folder, 0700, with files of mode 0600; without a folder nothing is kept."""

    folder: Path | None = None

    def history(self) -> list[str]:
        """Return the kept command lines, oldest first; none when there are none or they cannot be read."""
        if self.folder is None:
            return []
        try:
            text = (self.folder / "history").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        return [line for line in text.splitlines() if line.strip()][-HISTORY_LINES:]

    def keep_history(self, lines: list[str]) -> None:
        """Replace the kept command lines by the newest of `lines`."""
        self._write("history", "".join(f"{line}\n" for line in lines[-HISTORY_LINES:]))

    def save_screen(self, name: str, at: datetime, text: str, svg: str) -> tuple[Path, Path]:
        """Write a screen as text and as SVG and return the files; raises OSError."""
        stem = f"screens/{at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{name}"
        return self._write(f"{stem}.txt", text), self._write(f"{stem}.svg", svg)

    def _write(self, name: str, text: str) -> Path:
        if self.folder is None:
            raise OSError("this console keeps nothing")
        path = self.folder / name
        for folder in (self.folder, path.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600
        )
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
        return path
