"""What a model came from besides its rows: the code and the installed packages."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

import appliance
import appliance.pipelines
from appliance.config.paths import SOURCE_ROOT

GIT_COMMIT = "mlflow.source.git.commit"
"""The tag under which MLflow's pages show a commit."""
_GIT_SECONDS = 5.0
_SHARED = "forecasting"


def environment() -> dict[str, str]:
    """Return the versions of Python, the platform and every installed package, by name."""
    packages = {
        str(each.metadata["Name"]).lower(): each.version
        for each in importlib.metadata.distributions()
        if each.metadata["Name"]
    }
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        **dict(sorted(packages.items())),
    }


def code_version(project: str) -> dict[str, str]:
    """Return the appliance's version, a digest of the project's and the shared sources, and the commit.

    The digest tells versions apart also where there is no git and where files were edited; `git_commit`
    is empty without git.
    """
    return {
        "appliance": appliance.__version__,
        "sources_sha256": _sources_digest(project),
        "git_commit": _commit(),
    }


def differences(recorded: Mapping[str, str], current: Mapping[str, str]) -> dict[str, str]:
    """Return what differs between two records of the same kind, as `recorded -> current`."""
    names = sorted({*recorded, *current})
    return {
        name: f"{recorded.get(name, 'absent')} -> {current.get(name, 'absent')}"
        for name in names
        if recorded.get(name) != current.get(name)
    }


def _sources_digest(project: str) -> str:
    root = Path(appliance.pipelines.__path__[0])
    digest = hashlib.sha256()
    for path in sorted(path for part in (project, _SHARED) for path in (root / part).rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def _commit() -> str:
    if not (SOURCE_ROOT / ".git").exists():
        return ""
    try:
        told = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=SOURCE_ROOT,
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return told.stdout.strip() if told.returncode == 0 else ""
