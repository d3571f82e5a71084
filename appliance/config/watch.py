"""Notices that the configuration's files have changed."""

from __future__ import annotations

from pathlib import Path

from appliance.config.paths import SOURCE_ROOT, Paths

Stamp = tuple[tuple[str, int, int, int], ...]


class ConfigWatch:
    """Compares the files of `compose/`, shipped and this machine's, with those of the last look."""

    def __init__(self, paths: Paths) -> None:
        self._folders = (SOURCE_ROOT / "compose", paths.compose)
        self._seen = self._stamp()

    def has_changed(self) -> bool:
        """Whether a file was written, added or removed since the last call."""
        before, self._seen = self._seen, self._stamp()
        return self._seen != before

    def _stamp(self) -> Stamp:
        stamps = (_stamp(path) for folder in self._folders for path in _files(folder))
        return tuple(stamp for stamp in stamps if stamp is not None)


def _files(folder: Path) -> list[Path]:
    return [folder / "appliance.toml", *sorted((folder / "projects").glob("*.toml"))]


def _stamp(path: Path) -> tuple[str, int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return str(path), found.st_mtime_ns, found.st_size, found.st_ino
