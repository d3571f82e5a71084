"""The project that is checked, as the checks see it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance.config.settings import Settings


@dataclass(frozen=True, slots=True)
class Subject:
    """A project: its name, its folder, the source tree with its other files, and the settings."""

    project: str
    package: Path
    root: Path
    settings: Settings

    def sources(self, folder: str = "") -> Iterator[tuple[Path, ast.Module]]:
        """Yield the parsed modules of the package or of one folder; those that do not parse are left out."""
        for path in sorted((self.package / folder).rglob("*.py")):
            tree = parsed(path)
            if tree is not None:
                yield path, tree

    def named(self, path: Path) -> str:
        """Return a path as the owner knows it."""
        if path.is_relative_to(self.package):
            return str(Path(self.project, path.relative_to(self.package)))
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)


def parsed(path: Path) -> ast.Module | None:
    """Return a module's syntax tree, None when it is not Python."""
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError):
        return None


def imported_modules(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield the module of every import in a tree, wherever it stands, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno
