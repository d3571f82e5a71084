"""Lets processes that live long see a project's changed code."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path

import appliance.pipelines

Stamp = tuple[tuple[str, int, int], ...]


class CodeWatch:
    """Compares the files of projects with those of the last look."""

    def __init__(self) -> None:
        self._seen: dict[str, Stamp] = {}

    def changed(self, projects: Iterable[str]) -> list[str]:
        """Return the projects whose code has changed; its modules are forgotten, to be read anew.

        A project that is looked at for the first time has not changed.
        """
        stamps = {project: _stamp(project) for project in projects}
        changed = [name for name, stamp in stamps.items() if self._seen.get(name, stamp) != stamp]
        self._seen = stamps
        for name in changed:
            _forget(f"appliance.pipelines.{name}")
        return changed


def _forget(package: str) -> None:
    for name in list(sys.modules):
        if name.startswith(f"{package}."):
            del sys.modules[name]
    importlib.invalidate_caches()


def _stamp(project: str) -> Stamp:
    folders = [Path(folder, project) for folder in appliance.pipelines.__path__]
    files = sorted(path for folder in folders for path in folder.rglob("*.py"))
    return tuple(entry for path in files for entry in _entry(path))


def _entry(path: Path) -> list[tuple[str, int, int]]:
    try:
        found = path.stat()
    except OSError:
        return []
    return [(str(path), found.st_mtime_ns, found.st_size)]
