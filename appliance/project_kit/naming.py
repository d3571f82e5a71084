"""Which names a project may have."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from appliance.errors import ConfigError
from appliance.pipelines.spec import SHARED

LONGEST = 32
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_RESERVED = frozenset({"appliance", "store", "tests", "default", "project", "projects"})


def require_usable_name(name: str, root: Path) -> None:
    """Check that a new project may be called `name` in the source tree `root`.

    Raises:
        ConfigError: it may not; the hint says which name would do, or what is in the way.
    """
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise _refusal(name, "is a word of Python", f"{name}_forecast")
    if not _NAME.fullmatch(name):
        rule = "must be lower-case letters and digits, joined by single underscores, a letter first"
        raise _refusal(name, rule, _nearest_allowed(name))
    if len(name) > LONGEST:
        raise _refusal(name, f"is longer than {LONGEST} characters", name[:LONGEST].rstrip("_"))
    package = root / "appliance" / "pipelines" / name
    if name in _RESERVED | SHARED or package.with_suffix(".py").exists():
        raise _refusal(name, "is a name of the appliance's own", f"my_{name}")


def _refusal(name: str, rule: str, suggestion: str) -> ConfigError:
    return ConfigError(
        f"a project cannot be called {name!r}: it {rule}",
        code="project.name",
        hint=f"appliance new-project {suggestion}" if suggestion else "choose another name",
    )


def _nearest_allowed(name: str) -> str:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    joined = re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_").lstrip("0123456789_")
    return joined[:LONGEST].rstrip("_")
