"""Keys of actions as this machine's configuration names them, and what is wrong with such names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from appliance.config.forms import nearest

FIXED = {
    "j", "k", "g", "G", "f", ".", ",", "/", " ", "tab", "enter", "escape", "up", "down", "left", "right",
    "space", "home", "end", "pageup", "pagedown", "ctrl+c", "ctrl+d", "ctrl+u", "ctrl+q", "ctrl+p",
    "shift+tab", "full_stop", "comma", "slash",
}  # fmt: skip
"""Keys that move, filter and sort everywhere; no action can have them."""
_NAMED = re.compile(
    r"(ctrl|alt|shift)\+[a-z0-9]|(shift\+|ctrl\+)?f([1-9]|1[0-2])|insert|delete|backspace"
)
_NAMES = {"-": "minus", "+": "plus", "_": "underscore", "\\": "backslash", "/": "slash", "@": "at"}
_chosen: dict[str, str] = {}


def problems(defaults: Mapping[str, str], wanted: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return what is wrong with the wanted keys: the action's id, and what, what is expected and what was.

    `defaults` has every action's own key. Two actions with one key are told once, at the later of them.
    """
    wrong = []
    for action_id, key in wanted.items():
        if action_id not in defaults:
            close = nearest(action_id, list(defaults))
            meant = close or f"one of {', '.join(sorted(defaults))}"
            wrong.append((action_id, f"there is no such action, {meant}"))
        elif not ((len(key) == 1 and key.isprintable()) or _NAMED.fullmatch(key)):
            wrong.append(
                (action_id, f"must be one character or a key such as ctrl+t or f5, is {key!r}")
            )
        elif key in FIXED:
            wrong.append(
                (action_id, f"must not be {key!r}, which moves, filters or sorts everywhere")
            )
    owners: dict[str, str] = {}
    for action_id, key in {**defaults, **wanted}.items():
        if key and (other := owners.setdefault(textual_key(key), action_id)) != action_id:
            told, owner = (action_id, other) if action_id in wanted else (other, action_id)
            wrong.append((told, f"must be a key of its own, {wanted[told]!r} is that of {owner}"))
    return wrong


def textual_key(key: str) -> str:
    """Return a key as Textual names it: `full_stop` for `.`; longer names are Textual's already."""
    if len(key) != 1 or key.isalnum():
        return key
    name = unicodedata.name(key, key).lower().replace("-", "_").replace(" ", "_")
    return _NAMES.get(key, name)


def choose(keys: Mapping[str, str]) -> None:
    """Let actions have these keys from now on; the others have their own."""
    _chosen.clear()
    _chosen.update(keys)


def all_chosen() -> list[tuple[str, str]]:
    """Return the actions whose key the configuration names, with it."""
    return list(_chosen.items())


def chosen(action_id: str) -> str:
    """Return the key that the configuration gives an action; empty when it keeps its own."""
    return _chosen.get(action_id, "")
