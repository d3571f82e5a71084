"""Whether a terminal can show the dashboard; one that cannot is told what to set."""

from __future__ import annotations

import codecs
from collections.abc import Mapping

from appliance.config.environment import LOCALE
from appliance.errors import ConfigError

_LINES_ONLY = frozenset({"", "dumb", "unknown"})
"""Terminals that print lines and cannot move their cursor as the dashboard needs it."""


def require_screen(environment: Mapping[str, str], encoding: str) -> None:
    """Refuse a terminal that would show garbage.

    Raises:
        ConfigError: the terminal only prints lines, or its text is not UTF-8; says what to set.
    """
    term = environment.get("TERM", "")
    if term in _LINES_ONLY:
        raise ConfigError(
            f"the dashboard needs a terminal that moves its cursor, and TERM is {term!r}",
            code="console.no_screen",
            hint="in a terminal of your own: TERM=xterm-256color appliance; "
            "otherwise `appliance status` and `appliance events -f` print lines",
        )
    name = environment.get(LOCALE, "")
    codeset = name.partition(".")[2].partition("@")[0] or encoding
    if not (_is_utf8(codeset) and _is_utf8(encoding)):
        language = name.partition(".")[0].partition("@")[0] or "C"
        raise ConfigError(
            f"the dashboard draws in UTF-8, and this terminal's locale {name or 'C'} is {codeset}",
            code="console.not_utf8",
            hint=f"set the terminal to UTF-8 and run: LC_ALL={language}.UTF-8 appliance",
        )


def _is_utf8(encoding: str) -> bool:
    try:
        return codecs.lookup(encoding).name == "utf-8"
    except LookupError:
        return False
