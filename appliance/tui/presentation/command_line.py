"""What `:` understands: the words typed so far, what they may become, and the nearest to a wrong one."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.text import Text

from appliance.tui.presentation.filters import parse_filter
from appliance.tui.presentation.formats import clip, line
from appliance.tui.presentation.view import Frame
from appliance.tui.state import Board

Choices = Callable[[Board], Sequence[str]]

SHOWN = 6
"""Completions shown at once."""


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """One command: its names, what it takes, what it does, and what its first argument may be.

    `usage` is empty for a command without arguments; `blocked` says why it cannot run now.
    """

    name: str
    help: str
    usage: str = ""
    aliases: tuple[str, ...] = ()
    choices: Choices = lambda _board: ()
    blocked: Callable[[Board], str] = lambda _board: ""


@dataclass(frozen=True, slots=True)
class Completion:
    """What the line may become, and what that does."""

    line: str
    shown: str
    help: str


def split(text: str) -> tuple[str, list[str]]:
    """Return the command's name and its arguments; a colon in front and case of the name do not count."""
    name, *arguments = text.strip().removeprefix(":").split() or [""]
    return name.lower().replace("-", "_"), arguments


def find(specs: Sequence[CommandSpec], name: str) -> CommandSpec | None:
    """Return the command with this name or alias."""
    return next((spec for spec in specs if name in (spec.name, *spec.aliases)), None)


def nearest(specs: Sequence[CommandSpec], name: str) -> list[str]:
    """Return the names most like a wrong one, the likeliest first."""
    by_name = {known: spec.name for spec in specs for known in (spec.name, *spec.aliases)}
    begun = [known for known in by_name if name and known.startswith(name)]
    close = difflib.get_close_matches(name, by_name, 5)
    return list(dict.fromkeys(by_name[known] for known in (*begun, *close)))[:3]


def unknown_words(specs: Sequence[CommandSpec], name: str) -> str:
    """Return what to say to a command that there is not."""
    close = nearest(specs, name)
    meant = f"did you mean {' or '.join(f':{known}' for known in close)}?" if close else ""
    return f"there is no command :{name}; {meant or ':help lists all'}"


def completions(specs: Sequence[CommandSpec], text: str, board: Board) -> list[Completion]:
    """Return what `text` may become: names while the first word is typed, then its first argument's choices.

    What begins with the typed letters comes first, then what has them in their order.
    """
    typed = text.lstrip().removeprefix(":")
    name, space, rest = typed.partition(" ")
    if not space:
        return _names(specs, name)
    spec = find(specs, split(name)[0])
    if spec is None or " " in rest.strip():
        return []
    choices = _ranked(spec.choices(board), rest.strip())
    return [Completion(f"{name} {choice}", choice, spec.help) for choice in choices]


def _names(specs: Sequence[CommandSpec], typed: str) -> list[Completion]:
    by_name = {name: spec for spec in specs for name in (spec.name, *spec.aliases)}
    ranked = _ranked([spec.name for spec in specs] if not typed else list(by_name), typed)
    found = dict[str, Completion]()
    for name in ranked:
        spec = by_name[name]
        shown = " ".join(filter(None, (name, spec.usage)))
        found.setdefault(spec.name, Completion(name, shown, spec.help))
    return list(found.values())


def _ranked(names: Sequence[str], typed: str) -> list[str]:
    typed = typed.lower()
    begin = [name for name in names if name.lower().startswith(typed)]
    fuzzy = parse_filter(f"~{typed}").keeps
    return begin + [name for name in names if name not in begin and fuzzy(name)]


def completion_lines(
    specs: Sequence[CommandSpec], text: str, board: Board, frame: Frame
) -> list[Text]:
    """Return the completions, the one that tab takes first; without any, what the command takes."""
    found = completions(specs, text, board)
    if not found:
        return [_hint(specs, text, frame)]
    width = min(max(len(each.shown) for each in found[:SHOWN]) + 2, frame.width // 2)
    rows = [
        line(
            (f" {clip(each.shown, width - 2):<{width}}", "accent" if index == 0 else "plain"),
            (clip(each.help, max(frame.width - width - 2, 0)), "muted"),
        )
        for index, each in enumerate(found[:SHOWN])
    ]
    if len(found) > SHOWN:
        rows.append(line((f" … {len(found) - SHOWN} more", "muted")))
    return rows


def _hint(specs: Sequence[CommandSpec], text: str, frame: Frame) -> Text:
    name, _ = split(text)
    spec = find(specs, name)
    if spec is None:
        return line((clip(f" {unknown_words(specs, name)}", frame.width), "warning"))
    return line((clip(f" {spec.name} {spec.usage}: {spec.help}", frame.width), "muted"))
