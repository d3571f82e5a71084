"""The environment of our processes: named variables of the user's shell, and no others.

Whatever else a shell exports (proxies, certificates, Python's, Airflow's, MLflow's, PostgreSQL's, conda's or
locale variables) would change how our parts reach each other or what they compute. Proxy and
certificate variables, which `appliance.config.outbound` honours towards the outside, are carried under names
of our own, so that no library picks them up.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from appliance.config.paths import SOURCE_ROOT

_KEPT = ("HOME", "USER", "LOGNAME")
_OWN = "APPLIANCE_"
_TERMINAL = (
    *("TERM", "COLORTERM", "TERM_PROGRAM", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TZ"),
    *("SSH_TTY", "SSH_CONNECTION", "TMUX", "DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "EDITOR"),
    *("TEXTUAL_ANIMATIONS", "TEXTUAL_COLOR_SYSTEM", "TEXTUAL_THEME"),
    *("_APPLIANCE_COMPLETE", "COMP_WORDS", "COMP_CWORD"),
)
"""What the screen and the shell's completion need; services get none of it."""

CARRIED = "APPLIANCE_SHELL_"
"""Prefix under which proxy and certificate variables of the user's shell are carried."""
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
OUTBOUND = (
    *(name for proxy in _PROXIES for name in (proxy.lower(), proxy)),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
)
"""Proxy and certificate variables, in the order in which they count."""

_PROGRAMS = ("/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin")
LOCALE = "APPLIANCE_TERMINAL_LOCALE"
"""Carries the locale of the terminal, for what draws on it; our processes have one of their own."""
_FIXED = {
    "LANG": "C.UTF-8",
    "PYTHONUTF8": "1",
    "PYTHONSAFEPATH": "1",  # whatever lies in the working directory is no module of ours
    "PYTHONPATH": str(SOURCE_ROOT),  # a child runs its parent's code
}


def clean(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return what our processes may have of an inherited environment."""
    kept = {
        name: value for name, value in inherited.items() if name in _KEPT or name.startswith(_OWN)
    }
    carried = {CARRIED + name: inherited[name] for name in OUTBOUND if inherited.get(name)}
    paths = {
        "PATH": _search_path(inherited.get("PATH", "")),
        "TMPDIR": _temporary(inherited.get("TMPDIR", "")),
        "LD_LIBRARY_PATH": _libraries_of_python(inherited.get("LD_LIBRARY_PATH", "")),
    }
    return kept | carried | {name: value for name, value in paths.items() if value} | _FIXED


def shell_variable(name: str) -> str:
    """Return a proxy or certificate variable of the user's shell, "" when it is not set."""
    return (os.environ.get(CARRIED + name) or os.environ.get(name) or "").strip()


def enter() -> None:
    """Clean this process' own environment; what the terminal needs stays."""
    inherited = dict(os.environ)
    terminal = {name: inherited[name] for name in _TERMINAL if name in inherited}
    named = [inherited[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if inherited.get(name)]
    terminal[LOCALE] = named[0] if named else ""
    os.environ.clear()
    os.environ.update(clean(inherited) | terminal)


def _search_path(inherited: str) -> str:
    """Return our interpreter's folder, the user's absolute ones and the system's."""
    users = (folder for folder in inherited.split(os.pathsep) if folder.startswith("/"))
    own = Path(sys.executable).parent
    return os.pathsep.join(dict.fromkeys((str(own), *users, *_PROGRAMS)))


def _temporary(folder: str) -> str:
    is_usable = folder.startswith("/") and os.access(folder, os.W_OK | os.X_OK)
    return folder if is_usable else ""


def _libraries_of_python(inherited: str) -> str:
    """Return the folders among the inherited ones without which this Python would not start."""
    if not inherited:
        return ""
    mapped = ""
    with suppress(OSError):
        mapped = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    needed = [
        folder
        for folder in inherited.split(os.pathsep)
        if folder.startswith("/") and f" {folder.rstrip('/')}/libpython" in mapped
    ]
    return os.pathsep.join(needed)
