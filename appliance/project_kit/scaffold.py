"""A new project from the template, a project itself: `appliance/pipelines/template/`."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Mapping
from pathlib import Path

from appliance.config.paths import write_atomically
from appliance.errors import ConfigError
from appliance.project_kit.naming import require_usable_name

TEMPLATE = "template"
_SUFFIX = ".tmpl"
_KIT = Path(__file__).parent


def create_project(name: str, root: Path) -> list[Path]:
    """Write a new project into the source tree `root`: all of it or nothing.

    The package is there at once, then the DAG files, and the configuration, by which the appliance
    notices the project, last.

    Returns:
        The package's folder and the files outside of it.

    Raises:
        ConfigError: the name cannot be used, something of that name is there already, or the tree
            cannot be written to.
    """
    require_usable_name(name, root)
    files = render(name)
    package = Path("appliance", "pipelines", name)
    outside = [path for path in files if not path.is_relative_to(package)]
    taken = [path for path in (package, *outside) if (root / path).exists()]
    if taken:
        raise ConfigError(
            f"there is something called {name} already: {', '.join(map(str, taken))}",
            code="project.exists",
            hint=f"choose another name, or remove these; `appliance project check {name}` examines it",
        )
    try:
        _write(files, root, package, outside)
    except OSError as error:
        raise ConfigError(
            f"the project cannot be written: {error}",
            code="project.write",
            hint=f"nothing was left behind; make {root} writable and try again",
        ) from error
    return [package, *outside]


def render(name: str) -> dict[Path, str]:
    """Return a project's files by their path in the source tree; its configuration is the last."""
    package = _KIT.parent / "pipelines" / TEMPLATE
    files = {
        Path("appliance", "pipelines", name, _named(path.relative_to(package), name)): path
        for path in sorted(package.rglob("*.py"))
    }
    outside = _KIT / "outside"
    order = ("tests", "dags", "compose")
    for path in sorted(
        outside.rglob(f"*{_SUFFIX}"), key=lambda p: order.index(p.relative_to(outside).parts[0])
    ):
        files[_named(path.relative_to(outside).with_suffix(""), name)] = path
    texts = {path: source.read_text(encoding="utf-8") for path, source in files.items()}
    return {path: _rendered(path, text, name) for path, text in texts.items()}


def _named(path: Path, name: str) -> Path:
    return Path(str(path).replace(TEMPLATE, name))


def _rendered(path: Path, text: str, name: str) -> str:
    title = "".join(part.capitalize() for part in name.split("_"))
    renamed = text.replace(TEMPLATE.capitalize(), title).replace(TEMPLATE, name)
    return _with_sorted_imports(renamed) if path.suffix == ".py" else renamed


def _with_sorted_imports(source: str) -> str:
    """Return `source` with its own imports in the order that the linter wants for the new name."""
    lines = source.splitlines(keepends=True)
    own = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "appliance"
    ]
    if not own:
        return source
    texts = {str(node.module): "".join(lines[node.lineno - 1 : node.end_lineno]) for node in own}
    first, last = own[0].lineno - 1, own[-1].end_lineno
    return "".join([*lines[:first], *(texts[module] for module in sorted(texts)), *lines[last:]])


def _write(files: Mapping[Path, str], root: Path, package: Path, outside: list[Path]) -> None:
    partial = root / package.parent / f".{package.name}.partial"
    written: list[Path] = []
    try:
        for path, text in files.items():
            if path.is_relative_to(package):
                _write_new(partial / path.relative_to(package), text)
        partial.rename(root / package)
        written.append(root / package)
        for path in outside:
            written.append(root / path)
            _write_new(root / path, files[path])
    except BaseException:
        for path in written:
            _remove(path)
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write_new(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text, 0o644)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
